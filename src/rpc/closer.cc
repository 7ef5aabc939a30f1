// SPDX-License-Identifier: Apache-2.0
#include "rpc/closer.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"

namespace holdfast::rpc {
namespace {

constexpr int kFromServer = 3;
constexpr unsigned kInterruptUs = 20000;
constexpr std::uint64_t kPatienceNs = 2'000'000'000;  // then the helper is killed and replaced
constexpr std::size_t kMaxWaiting = 256;
constexpr std::size_t kMaxStuck = 64;

// Messages to the helper. kConnection has a connection attached. kClosed: the server has closed all
// connections that it sent. The helper closes them only then, else the server's close could be the
// last one.
constexpr char kConnection = 'c';
constexpr char kClosed = 'x';

// Reads and discards all bytes. False: the next bytes have a descriptor.
bool drain(int connection_fd) {
  std::string bytes;
  for (;;) {
    bytes.clear();
    const auto read = kernel::read_plain(connection_fd, bytes, 65536);
    if (!read) continue;  // a pending socket error, such as ECONNRESET, is reported once
    if (*read == kernel::Plain::descriptors) return false;
    if (*read != kernel::Plain::bytes) return true;
  }
}

}  // namespace

Result<ServerEnd> start_closer() {
  HF_TRY_ASSIGN(auto ends, kernel::make_stream());
  HF_TRY_ASSIGN(auto process, kernel::start_own_program(kCloserArgument, {ends[1].get()}));
  return ServerEnd{std::move(ends[0]), std::move(process)};
}

void run_closer() {
  kernel::set_command_name("holdfast-closer");
  kernel::end_with_parent();
  kernel::interrupt_every(kInterruptUs);
  auto& held = *new std::vector<Fd>;  // closed by the exit of the process
  for (;;) {
    std::string bytes;
    std::vector<Fd> came;
    (void)kernel::poll_readable({kFromServer}, -1);
    const auto open = kernel::receive_with_descriptors(kFromServer, bytes, came);
    if (!open || !*open) std::_Exit(0);
    std::size_t next = 0;
    for (const char byte : bytes) {
      if (byte == kConnection && next < came.size()) held.push_back(std::move(came[next++]));
      if (byte == kClosed) held.clear();
    }
  }
}

// The exit of the process closes the connections. Then the kernel does not wait for lingering
// sockets (inet_release(): PF_EXITING).
Closer::~Closer() {
  for (Fd& connection : waiting_) (void)connection.release();
}

bool Closer::has_capacity() const {
  return waiting_.size() < kMaxWaiting && stuck_.size() < kMaxStuck;
}

void Closer::close(Fd connection, std::uint64_t now_ns) {
  kernel::shutdown_both(connection.get());
  if (!start_ || drain(connection.get())) return;
  waiting_.push_back(std::move(connection));
  hand_over(now_ns);
}

void Closer::dispatch(std::uint64_t now_ns) {
  std::erase_if(stuck_, [](const Fd& pidfd) { return kernel::reap(pidfd.get()); });
  if (waiting() > 0) hand_over(now_ns);
  if (waiting() == 0 || !process_.fd || now_ns < taken_ns_ + kPatienceNs) return;
  if (stuck_.size() >= kMaxStuck) return;
  (void)kernel::signal_process(process_.process.get(), SIGKILL);
  give_up();
}

// The exit of the helper closes its connections.
void Closer::give_up() {
  process_.fd.reset();
  if (process_.process) stuck_.push_back(std::move(process_.process));
  closed_mark_due_ = false;
}

void Closer::hand_over(std::uint64_t now_ns) {
  if (!process_.fd) {
    auto started = start_();
    if (!started) return;
    process_ = *std::move(started);
    taken_ns_ = now_ns;
  }
  while (waiting() > 0) {
    const auto sent = waiting_.empty()
                          ? kernel::send_with_descriptors(process_.fd.get(), {&kClosed, 1}, {})
                          : kernel::send_with_descriptors(process_.fd.get(), {&kConnection, 1},
                                                          {waiting_.front().get()});
    if (!sent) return give_up();
    if (*sent == 0) return;
    taken_ns_ = now_ns;
    closed_mark_due_ = !waiting_.empty();
    if (!waiting_.empty())
      waiting_
          .pop_front();  // the message in flight holds a reference, so this close is not the last
  }
}

}  // namespace holdfast::rpc
