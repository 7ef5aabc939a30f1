// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/seccomp.h"

#include <linux/audit.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "seccomp filters are written for x86_64 and aarch64"
#endif
// Not in the headers of the oldest supported build machine: Linux 6.6.
constexpr unsigned long kSetListenerFlags = SECCOMP_IOW(4, __u64);
constexpr std::uint64_t kSyncWakeUp = 1;
// The x32 entry of x86_64 sets this bit in the number (__X32_SYSCALL_BIT). No other number has it.
constexpr std::uint32_t kX32Bit = 0x40000000;

sock_filter statement(std::uint16_t code, std::uint32_t value) {
  return sock_filter{code, 0, 0, value};
}

sock_filter jump(std::uint16_t code, std::uint32_t value, std::size_t if_true,
                 std::size_t if_false) {
  return sock_filter{code, static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false),
                     value};
}

sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

sock_filter load_number() { return load(offsetof(seccomp_data, nr)); }

// Little endian: the low half of an argument comes first.
sock_filter load_argument(unsigned index) {
  return load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

sock_filter finish_with(std::uint32_t action) { return statement(BPF_RET | BPF_K, action); }

// Continues when the test passes, else jumps over `skip` statements.
sock_filter test_jump(const ArgumentTest& test, std::size_t skip) {
  switch (test.kind) {
    case ArgumentTest::Kind::equals:
      return jump(BPF_JMP | BPF_JEQ | BPF_K, test.value, 0, skip);
    case ArgumentTest::Kind::differs:
      return jump(BPF_JMP | BPF_JEQ | BPF_K, test.value, skip, 0);
    case ArgumentTest::Kind::any_bit:
      return jump(BPF_JMP | BPF_JSET | BPF_K, test.value, 0, skip);
    case ArgumentTest::Kind::no_bit:
      return jump(BPF_JMP | BPF_JSET | BPF_K, test.value, skip, 0);
  }
  return finish_with(SECCOMP_RET_KILL_PROCESS);
}

}  // namespace

SeccompFilter::SeccompFilter(unsigned newest_number) {
  code_.push_back(load(offsetof(seccomp_data, arch)));
  code_.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  code_.push_back(finish_with(SECCOMP_RET_KILL_PROCESS));
  code_.push_back(load_number());
  // Covers x32 too: its bit makes the number larger than any known one.
  static_assert(kX32Bit > 4096);
  code_.push_back(jump(BPF_JMP | BPF_JGT | BPF_K, newest_number, 0, 1));
  code_.push_back(finish_with(seccomp_error(ENOSYS)));
}

SeccompFilter SeccompFilter::without_limits() {
  SeccompFilter filter;
  filter.code_.push_back(load(offsetof(seccomp_data, arch)));
  filter.code_.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  filter.code_.push_back(finish_with(SECCOMP_RET_ALLOW));
  filter.code_.push_back(load_number());
  return filter;
}

void SeccompFilter::add(int number, const std::vector<ArgumentTest>& tests, std::uint32_t action) {
  // After the number: two statements per test, the action, and a reload of the number.
  const std::size_t body = tests.size() * 2 + 1;
  code_.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0,
                       body + (tests.empty() ? 0 : 1)));
  std::size_t left = body;
  for (const ArgumentTest& test : tests) {
    left -= 2;
    code_.push_back(load_argument(test.argument));
    code_.push_back(test_jump(test, left));
  }
  code_.push_back(finish_with(action));
  if (!tests.empty()) code_.push_back(load_number());
}

const sock_fprog* SeccompFilter::finish() {
  code_.push_back(finish_with(SECCOMP_RET_ALLOW));
  program_.len = static_cast<unsigned short>(code_.size());
  program_.filter = code_.data();
  return &program_;
}

namespace {

// In a process of its own, since a filter cannot be taken off. The errno, or 0.
int try_listener() {
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child > 0) {
    const int status = wait_for_end(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
  }
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kListenerFlags, &program);
  _exit(fd >= 0 ? 0 : errno);
}

}  // namespace

Result<void> probe_seccomp_listener() {
  // No filter to read: EFAULT once the flags are known to be good, EINVAL when one is not.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kListenerFlags, nullptr) != 0 &&
      errno != EFAULT)
    return system_error("seccomp user notification");
  // Where there are filters, one may have a listener already.
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0) return {};
  if (const int error = try_listener(); error != 0)
    return Error{error, "seccomp user notification", {}, {}};
  return {};
}

Result<int> ask_outer_run(NestedRunCommand command, std::uint64_t argument) {
  const long result = ::syscall(SYS_seccomp, kNestedRunOperation, command, argument);
  if (result < 0) return system_error("ask the run outside");
  return static_cast<int>(result);
}

// With CONTINUE, value and error have to be zero or the caller stays blocked.
Result<void> Listener::continue_syscall(std::uint64_t id) {
  return respond(id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

SeccompListener::SeccompListener(Fd fd, std::size_t notif_bytes, std::size_t response_bytes)
    : fd_(std::move(fd)),
      notif_((std::max(notif_bytes, sizeof(seccomp_notif)) + 7) / 8),
      response_words_((std::max(response_bytes, sizeof(seccomp_notif_resp)) + 7) / 8) {}

Result<std::unique_ptr<Listener>> SeccompListener::create(Fd listener) {
  seccomp_notif_sizes sizes = {};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
    return system_error("SECCOMP_GET_NOTIF_SIZES");
  // The caller runs on the processor of the thread that answers, which is about to wait. Before
  // Linux 6.6 there is no such flag, and the only difference is the time that a call takes.
  (void)::ioctl(listener.get(), kSetListenerFlags, kSyncWakeUp);
  return std::unique_ptr<Listener>(
      new SeccompListener(std::move(listener), sizes.seccomp_notif, sizes.seccomp_notif_resp));
}

Result<const seccomp_notif*> SeccompListener::receive() {
  std::fill(notif_.begin(), notif_.end(), 0);  // the kernel refuses a buffer that is not zero
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, notif_.data()) != 0)
    return system_error("SECCOMP_IOCTL_NOTIF_RECV");
  return reinterpret_cast<const seccomp_notif*>(notif_.data());
}

namespace {

// Each of these takes the listener's lock interruptibly, so a signal that comes while another
// thread has it is EINTR. That says nothing about the caller, so the question is asked again.
int ioctl_again(int fd, unsigned long request, void* argument) {
  for (;;) {
    const int result = ::ioctl(fd, request, argument);
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

bool SeccompListener::waiting(std::uint64_t id) const {
  return ioctl_again(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

Result<void> SeccompListener::answer_with_descriptor(std::uint64_t id, int fd, unsigned new_flags) {
  seccomp_notif_addfd request = {};
  request.id = id;
  request.flags = SECCOMP_ADDFD_FLAG_SEND;
  request.srcfd = static_cast<std::uint32_t>(fd);
  request.newfd_flags = new_flags;
  // After EINTR the request was taken back: seccomp_notify_addfd().
  if (ioctl_again(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0)
    return system_error("SECCOMP_IOCTL_NOTIF_ADDFD");
  return {};
}

Result<void> SeccompListener::respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                                      std::uint32_t flags) {
  std::vector<std::uint64_t> buffer(response_words_, 0);
  auto* response = reinterpret_cast<seccomp_notif_resp*>(buffer.data());
  response->id = id;
  response->val = value;
  response->error = error;
  response->flags = flags;
  if (ioctl_again(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, response) != 0)
    return system_error("SECCOMP_IOCTL_NOTIF_SEND");
  return {};
}

}  // namespace holdfast::kernel
