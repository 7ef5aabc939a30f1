// SPDX-License-Identifier: Apache-2.0
// seccomp filters and user notification: seccomp(2), seccomp_unotify(2).
#ifndef HOLDFAST_KERNEL_PROCESS_SECCOMP_H
#define HOLDFAST_KERNEL_PROCESS_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"
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

// A run inside a run cannot have a listener of its own, since the kernel has one for a chain of
// filters. It asks the outer run to hold its tree too (backend/supervisor/nested_runs.h). It asks by
// seccomp(2) with an operation that no kernel has, which the outer run's filter notifies. The
// arguments are this operation, the command, and a number or an address.
inline constexpr std::uint32_t kNestedRunOperation = 0x68666c64;
enum class NestedRunCommand : std::uint32_t {
  probe = 0,  // is there an outer run?
  open = 1,   // the address of a request; returns the reading end of a pipe
  join = 2,   // a key: the caller and all its descendants become members. Fails with kSelfTestError
  totals = 3,  // a key: writes the totals to the pipe
};
// Errors: EINVAL or EPERM, there is no outer run; those of the command.
Result<int> ask_outer_run(NestedRunCommand command, std::uint64_t argument);

[[nodiscard]] constexpr std::uint32_t seccomp_error(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// Whether this process can have a listener with kListenerFlags. Under filters it tries in a child.
// Changes nothing. Errors: ENOSYS or EINVAL, the kernel has none; EBUSY, another process listens to
// this one's calls already.
Result<void> probe_seccomp_listener();

// The system calls that a seccomp filter sends to its supervisor: seccomp_unotify(2). An interface,
// so that what answers them runs in tests, under sanitizers and in a fuzzer without a tree of tasks.
// receive() is for one thread, every other function for any thread.
class Listener {
 public:
  virtual ~Listener() = default;

  // Readable while a call waits. The same for as long as this object lives.
  [[nodiscard]] virtual int fd() const = 0;
  // Waits for the next call. The reference is good until the next receive(). Errors: ENOENT: its
  // caller died meanwhile; EINTR: a signal came first.
  virtual Result<const seccomp_notif*> receive() = 0;
  // Does the call still wait? What was opened by the number of its thread is that thread's only
  // when the answer, asked for afterwards, is yes.
  [[nodiscard]] virtual bool waiting(std::uint64_t id) const = 0;
  // Makes a duplicate of `fd` the caller's, under a number of the kernel's choice, which is what
  // the call returns. Errors: EMFILE: the caller has no room, and the call still waits; ENOENT: the
  // caller has died.
  virtual Result<void> answer_with_descriptor(std::uint64_t id, int fd, unsigned new_flags) = 0;

  // The call fails with this errno. Errors of these three: ENOENT: the caller has died.
  Result<void> refuse(std::uint64_t id, int error) { return respond(id, 0, -error, 0); }
  // The kernel makes the call.
  Result<void> continue_syscall(std::uint64_t id);
  // The call returns this without having been made.
  Result<void> answer(std::uint64_t id, std::int64_t value) { return respond(id, value, 0, 0); }

 protected:
  // `flags`: SECCOMP_USER_NOTIF_FLAG_*.
  virtual Result<void> respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                               std::uint32_t flags) = 0;
};

// The kernel's listener.
class SeccompListener final : public Listener {
 public:
  // Errors: of SECCOMP_GET_NOTIF_SIZES.
  static Result<std::unique_ptr<Listener>> create(Fd listener);

  [[nodiscard]] int fd() const override { return fd_.get(); }
  Result<const seccomp_notif*> receive() override;
  [[nodiscard]] bool waiting(std::uint64_t id) const override;
  Result<void> answer_with_descriptor(std::uint64_t id, int fd, unsigned new_flags) override;

 private:
  SeccompListener(Fd fd, std::size_t notif_bytes, std::size_t response_bytes);
  Result<void> respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                       std::uint32_t flags) override;

  Fd fd_;
  // The kernel reports the sizes of its structures, which may grow.
  std::vector<std::uint64_t> notif_;
  std::size_t response_words_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_SECCOMP_H
