// SPDX-License-Identifier: Apache-2.0
// seccomp filters and user notification: seccomp(2), seccomp_unotify(2).
#ifndef HOLDFAST_KERNEL_PROCESS_SECCOMP_H
#define HOLDFAST_KERNEL_PROCESS_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

// What install_listener() (child.cc) asks for. WAIT_KILLABLE_RECV: once received, a call is
// interrupted by fatal signals alone; without it a storm of signals starves the caller.
inline constexpr unsigned kListenerFlags =
    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

// A condition on the low 32 bits of an argument.
struct ArgumentTest {
  enum class Kind { equals, differs, any_bit, no_bit };
  unsigned argument;
  Kind kind;
  std::uint32_t value;
};

// A classic BPF program made of "system call NR with these arguments: ACTION", first match first.
// Everything else is allowed, except what the preamble stops: another architecture's entry
// (killed), x32 and numbers above `newest_number` (ENOSYS).
class SeccompFilter {
 public:
  explicit SeccompFilter(unsigned newest_number);
  // One that stops nothing: other entries and numbers are none of its business.
  static SeccompFilter without_limits();
  void add(int number, const std::vector<ArgumentTest>& tests, std::uint32_t action);
  // Borrowed from this object; call once, after the last add().
  [[nodiscard]] const sock_fprog* finish();

 private:
  SeccompFilter() = default;

  std::vector<sock_filter> code_;
  sock_fprog program_ = {};
};

[[nodiscard]] constexpr std::uint32_t seccomp_error(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// ENOSYS or EINVAL: this kernel lacks user notification with kListenerFlags. Changes nothing.
Result<void> probe_seccomp_listener();

// The supervisor's side. Borrows the listener. receive() is for one thread, what answers for any.
class Listener {
 public:
  static Result<Listener> create(int listener_fd);

  // Waits for the next call. ENOENT: its caller died meanwhile; EINTR. The reference is good until
  // the next receive().
  Result<const seccomp_notif*> receive();
  // Is the call still waiting? Only after a yes is what was read about its thread about that
  // thread.
  [[nodiscard]] bool waiting(std::uint64_t id) const;
  // Both: ENOENT when the caller has died.
  Result<void> refuse(std::uint64_t id, int error);
  Result<void> continue_syscall(std::uint64_t id);
  // The call returns this without having been made.
  Result<void> answer(std::uint64_t id, std::int64_t value);
  // Makes a duplicate of `fd` the caller's, under a number of the kernel's choice, which is what
  // the call returns. EMFILE: the caller has no room; the call still waits.
  Result<void> answer_with_descriptor(std::uint64_t id, int fd, unsigned new_flags);

 private:
  Listener(int fd, std::size_t notif_bytes, std::size_t response_bytes);
  Result<void> respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                       std::uint32_t flags);

  int fd_;
  // The kernel says how long its structures are; they grow.
  std::vector<std::uint64_t> notif_;
  std::size_t response_words_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_SECCOMP_H
