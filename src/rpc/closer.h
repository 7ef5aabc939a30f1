// SPDX-License-Identifier: Apache-2.0
// Ends connections of which the server must not become the last holder (rpc/relay.h says why).
//
// After shutdown(2) nobody can send any more: unix_stream_sendmsg() looks at the receiver's
// RCV_SHUTDOWN under the lock under which it queues. So what is there then is all, and mostly it
// carries no descriptor: it is read and the connection closed. What does carry one goes to a
// process that closes and does nothing else. One is enough for all: a signal 50 times a second ends
// the wait of a socket that lingers (sk_stream_wait_close()).
#ifndef HOLDFAST_RPC_CLOSER_H
#define HOLDFAST_RPC_CLOSER_H

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "rpc/relay.h"

namespace holdfast::rpc {

// The only argument of the program when it is to be that process.
inline constexpr char kCloserArgument[] = "--close-connections";

using StartCloser = std::function<Result<ServerEnd>()>;
// Starts this program once more. Errors: those of socketpair(2) and posix_spawn(3).
[[nodiscard]] Result<ServerEnd> start_closer();
// What it does until the server ends. The connections come by descriptor 3.
[[noreturn]] void run_closer();

// Not thread safe. Times are CLOCK_BOOTTIME, ns.
class Closer {
 public:
  // Without `start` all are closed here: for clients that are trusted.
  explicit Closer(StartCloser start) : start_(std::move(start)) {}
  ~Closer();

  // The other side reads the end from then on. Does not wait.
  void close(Fd connection, std::uint64_t now_ns);
  // Hands over what had to wait, and replaces a process that does not take any.
  void dispatch(std::uint64_t now_ns);
  // What the process has to be sent yet.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size() + (tell_closed_ ? 1 : 0); }
  // May more of them be taken on? Not when process after process got stuck.
  [[nodiscard]] bool has_capacity() const;

 private:
  void hand_over(std::uint64_t now_ns);
  void give_up();

  StartCloser start_;
  ServerEnd process_;
  std::deque<Fd> waiting_;
  bool tell_closed_ = false;    // the process, that what it was sent is closed here
  std::uint64_t taken_ns_ = 0;  // when the process took one last, or was started
  std::vector<Fd> stuck_;       // pidfds of those that were given up
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CLOSER_H
