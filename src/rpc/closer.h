// SPDX-License-Identifier: Apache-2.0
// Closes connections that may contain unread descriptors. The server must not become the last
// holder of such a descriptor (rpc/relay.h explains why).
//
// After shutdown(2) no peer can send: unix_stream_sendmsg() checks the receiver's RCV_SHUTDOWN
// under the lock under which it queues. So the bytes in the queue are then final. Usually they have
// no descriptor: they are read and the connection is closed. A connection with a descriptor goes to
// a helper process, which only closes connections. One process is enough for all: 50 signals a
// second end the wait of close(2) for a lingering socket (sk_stream_wait_close()).
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

// The program's only argument when it runs as the helper process.
inline constexpr char kCloserArgument[] = "--close-connections";

using StartCloser = std::function<Result<ServerEnd>()>;
// Starts this program again, as the helper process. Errors: of make_stream(), start_own_program().
[[nodiscard]] Result<ServerEnd> start_closer();
// The main function of the helper process. It receives connections from descriptor 3 and exits when
// the server closes its end.
[[noreturn]] void run_closer();

// Not thread safe. Times are CLOCK_BOOTTIME, in ns.
class Closer {
 public:
  // An empty `start` means that the clients are trusted: every connection is closed in this
  // process.
  explicit Closer(StartCloser start) : start_(std::move(start)) {}
  ~Closer();

  // Ends the connection: the peer then reads the end of the stream. Does not wait.
  void close(Fd connection, std::uint64_t now_ns);
  // Sends queued connections to the helper process. Kills and replaces a process that has accepted
  // none for 2 s. Call it regularly while waiting() is not 0.
  void dispatch(std::uint64_t now_ns);
  // The number of messages still to be sent to the helper process.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size() + (closed_mark_due_ ? 1 : 0); }
  // Whether the server may accept more connections. False when too many connections are queued, or
  // too many killed helper processes have not ended yet.
  [[nodiscard]] bool has_capacity() const;

 private:
  void hand_over(std::uint64_t now_ns);
  void give_up();

  StartCloser start_;
  ServerEnd process_;
  std::deque<Fd> waiting_;
  // The helper must be told that this process has closed all connections that it sent.
  bool closed_mark_due_ = false;
  std::uint64_t taken_ns_ = 0;  // when the helper last accepted a message, or was started
  std::vector<Fd> stuck_;       // pidfds of killed helpers that have not ended yet
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CLOSER_H
