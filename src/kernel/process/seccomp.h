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

// The flags of the filter in child.cc. WAIT_KILLABLE_RECV: after the supervisor has received a
// call, only fatal signals interrupt it. Without this flag, frequent signals restart the call for
// ever.
inline constexpr unsigned kListenerFlags =
    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

// A condition on the low 32 bits of a system call argument (0 to 5).
struct ArgumentTest {
  enum class Kind { equals, differs, any_bit, no_bit };
  unsigned argument;
  Kind kind;
  std::uint32_t value;
};

// A classic BPF program: a list of rules "system call NR with these arguments: ACTION". The first
// matching rule decides. A call without a matching rule is allowed. Before the rules, calls of
// another architecture are killed; x32 calls and numbers above `newest_number` fail with ENOSYS.
// Only x86_64 and aarch64.
class SeccompFilter {
 public:
  explicit SeccompFilter(unsigned newest_number);
  // A filter without those two limits: it allows every call that no rule matches.
  static SeccompFilter without_limits();
  // Appends a rule. All of `tests` must pass. `action` is SECCOMP_RET_*.
  void add(int number, const std::vector<ArgumentTest>& tests, std::uint32_t action);
  // The result borrows this object. Call it once, after the last add().
  [[nodiscard]] const sock_fprog* finish();

 private:
  SeccompFilter() = default;

  std::vector<sock_filter> code_;
  sock_fprog program_ = {};
};

[[nodiscard]] constexpr std::uint32_t seccomp_error(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// Whether this kernel has user notification with kListenerFlags. Changes nothing. Errors: ENOSYS or
// EINVAL, it has not.
Result<void> probe_seccomp_listener();

// The supervisor's end of a listener, which it borrows. One thread calls receive(). Any thread may
// call waiting() and the functions that answer a call. A call is answered once.
class Listener {
 public:
  // Errors: of SECCOMP_GET_NOTIF_SIZES.
  static Result<Listener> create(int listener_fd);

  // Waits for the next call. The result borrows this object and is valid until the next receive().
  // Errors: ENOENT, the caller died; EINTR, a signal.
  Result<const seccomp_notif*> receive();
  // Whether the call still waits for an answer. Facts that were read about its thread (from /proc)
  // are facts about that thread only if this returns true after the read. False also after EINTR.
  [[nodiscard]] bool waiting(std::uint64_t id) const;
  // The call fails with `error`, a positive errno. Errors: ENOENT, the caller has died;
  // EINPROGRESS, already answered; EINTR.
  Result<void> refuse(std::uint64_t id, int error);
  // The kernel executes the call. Errors: as refuse().
  Result<void> continue_syscall(std::uint64_t id);
  // The call returns `value` and is not executed. Errors: as refuse().
  Result<void> answer(std::uint64_t id, std::int64_t value);
  // Installs a duplicate of `fd` in the caller's descriptor table. The call returns its number,
  // which the kernel chooses. `new_flags`: O_CLOEXEC or 0. Errors: EMFILE, the caller's table is
  // full, and the call still waits; ENOENT, the caller has died; EINTR.
  Result<void> answer_with_descriptor(std::uint64_t id, int fd, unsigned new_flags);

 private:
  Listener(int fd, std::size_t notif_bytes, std::size_t response_bytes);
  Result<void> respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                       std::uint32_t flags);

  int fd_;
  // The kernel reports the sizes of its structures, which may grow.
  std::vector<std::uint64_t> notif_;
  std::size_t response_words_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_SECCOMP_H
