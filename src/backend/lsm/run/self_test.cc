// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/self_test.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernel/proc/sysctl.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

constexpr std::uint16_t kSelfTestProfile = 1;
constexpr std::uint64_t kSelfTestSet = ~0ull;
constexpr std::uint64_t kSelfTestGeneration = ~0ull;
constexpr std::uint16_t kGuard = 0;  // no hook: the guard refuses, no policy

// Each attempt comes to another program of ours.
struct Attempt {
  const char* name;
  int (*call)();
  std::uint16_t op;
  std::uint16_t via;
  std::uint32_t types;
  std::uint16_t reason;
};

// These run in the self-test, between fork and exit: system calls only.
int try_unshare() { return unshare(CLONE_NEWUTS); }
int try_user_namespace() { return unshare(CLONE_NEWUSER); }
int try_setns() {
  const int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : setns(fd, CLONE_NEWUTS);
}
int try_clone() {
  const long pid = syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) _exit(0);
  return pid < 0 ? -1 : 0;
}
int try_trace() {
  char byte = 0;
  const iovec here{&byte, sizeof(byte)};
  const iovec there{&byte, sizeof(byte)};  // the parent is a copy: the same address is mapped in it
  return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1 ? 0 : -1;
}
// Writes what is there already, so that a guard that does not hold does no harm.
int try_silencing() {
  const int fd = open("/proc/sys/kernel/ftrace_enabled", O_RDWR | O_CLOEXEC);
  if (fd < 0) return -1;
  char value[8];
  const ssize_t bytes = read(fd, value, sizeof(value));
  return bytes > 0 && pwrite(fd, value, static_cast<std::size_t>(bytes), 0) == bytes ? 0 : -1;
}

int try_connect() {
  sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/"};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof(nobody));
}

constexpr std::array kAttempts = {
    Attempt{"unshare", try_unshare, HF_OP_NAMESPACE_ALLOC, HF_VIA_UNSHARE, HF_NS_UTS,
            HF_REASON_CREATE},
    Attempt{"clone", try_clone, HF_OP_NAMESPACE_ALLOC, HF_VIA_CLONE, HF_NS_UTS, HF_REASON_CREATE},
    // "not of its own" instead of "target not known": the capture worked too.
    Attempt{"setns", try_setns, HF_OP_NAMESPACE_INSTALL, HF_VIA_SETNS, HF_NS_UTS,
            HF_REASON_NOT_OWN},
    Attempt{"unshare of a user namespace", try_user_namespace, HF_OP_NAMESPACE_ALLOC,
            HF_VIA_UNSHARE, HF_NS_USER, HF_REASON_CREATE},
    Attempt{"trace", try_trace, HF_OP_TRACE, HF_VIA_PTRACE, 0, HF_REASON_TRACE_OUTSIDE},
    // Only where socket rules are decided.
    Attempt{"connect", try_connect, HF_OP_SOCKET, HF_VIA_CONNECT, 0, HF_REASON_SOCKET_DENY},
    // Refused by the guard, to everybody.
    Attempt{"kernel.ftrace_enabled", try_silencing, kGuard, 0, 0, 0},
};

using Errnos = std::array<int, kAttempts.size()>;

std::unique_ptr<hf_tables> self_test_tables() {
  auto tables = std::make_unique<hf_tables>();
  tables->magic = HF_TABLES_MAGIC;
  tables->version = HF_ABI_VERSION;
  tables->length = sizeof(hf_tables);
  tables->profile_count = 2;
  tables->generation = kSelfTestGeneration;
  tables->profiles[0].ns_create = HF_NS_ALL;
  tables->profiles[kSelfTestProfile].ns_enter = HF_ENTER_OWN;
  tables->profiles[kSelfTestProfile].socket_count = 1;
  tables->any_socket_rules = 1;
  tables->socket_rule_count = 1;
  tables->socket_rules[0].ops = HF_SOCK_CONNECT;
  tables->socket_rules[0].families = HF_FAMILIES_ALL;
  tables->socket_rules[0].verdict = HF_SOCK_DENY;
  return tables;
}

// The kernel refuses user namespaces by itself where their number is limited to 0 or they are not
// built in; without ftrace there is nothing to turn off.
bool kernel_has_none(const Attempt& attempt, int code) {
  if (attempt.types == HF_NS_USER) return code == ENOSPC || code == EINVAL || code == EUSERS;
  return attempt.op == kGuard && code == ENOENT;
}

bool is_event_of(const hf_event& event, const Attempt& attempt) {
  return event.generation == kSelfTestGeneration && event.request.op == attempt.op &&
         event.request.via == attempt.via && event.request.ns_types == attempt.types &&
         event.verdict.reason == attempt.reason && event.verdict.action == HF_DENY;
}

bool is_decided(const Programs& programs, const Attempt& attempt) {
  return attempt.op != HF_OP_SOCKET || programs.decide_sockets();
}

Result<Errnos> attempt_all(const Programs& programs) {
  std::array<int, 2> channel;
  if (pipe2(channel.data(), O_CLOEXEC) != 0) return kernel::system_error("pipe");
  const Fd in(channel[0]);
  Fd out(channel[1]);
  hf_member member{};
  member.profile = kSelfTestProfile;
  member.tables = HF_TABLES_SELF_TEST;
  member.set = kSelfTestSet;
  HF_TRY(programs.arm(member));
  const pid_t pid = fork();
  if (pid < 0) return kernel::system_error("fork");
  if (pid == 0) {
    Errnos codes{};
    for (std::size_t i = 0; i < codes.size(); i++)
      if (is_decided(programs, kAttempts[i])) codes[i] = kAttempts[i].call() >= 0 ? 0 : errno;
    _exit(write(out.get(), codes.data(), sizeof(codes)) == sizeof(codes) ? 0 : 1);
  }
  out.reset();
  Errnos codes{};
  const bool whole = read(in.get(), codes.data(), sizeof(codes)) == sizeof(codes);
  const int status = kernel::wait_for_end(pid);
  if (!whole || status != 0) return Error{ECHILD, "run the self-test", {}, {}};
  return codes;
}

Result<void> judge(const Programs& programs, const Errnos& codes,
                   const std::vector<hf_event>& events,
                   const std::vector<hf_guard_event>& refusals) {
  for (std::size_t i = 0; i < codes.size(); i++) {
    const Attempt& attempt = kAttempts[i];
    if (kernel_has_none(attempt, codes[i])) continue;
    if (!is_decided(programs, attempt)) continue;
    if (codes[i] != EPERM)
      return Error{
          EPERM, "prove enforcement", attempt.name,
          codes[i] == 0 ? "the kernel let it pass" : "the kernel refused it for another reason"};
    bool seen = false;
    if (attempt.op == kGuard)
      for (const hf_guard_event& refusal : refusals) seen = seen || refusal.what == HF_GUARD_SYSCTL;
    for (const hf_event& event : events) seen = seen || is_event_of(event, attempt);
    if (!seen)
      return Error{EPERM, "prove enforcement", attempt.name, "refused, but no event says by us"};
  }
  return {};
}

}  // namespace

Result<void> run_self_test(const Programs& programs) {
  std::vector<hf_event> events;
  std::vector<hf_guard_event> refusals;
  const auto keep = [&](std::span<const std::byte> bytes) {
    if (bytes.size() == sizeof(hf_event))
      events.push_back(*reinterpret_cast<const hf_event*>(bytes.data()));
    if (bytes.size() == sizeof(hf_guard_event))
      refusals.push_back(*reinterpret_cast<const hf_guard_event*>(bytes.data()));
  };
  HF_TRY_ASSIGN(const auto ring, kernel::BpfRing::create(programs.events_fd(), keep));
  HF_TRY(programs.publish(HF_TABLES_SELF_TEST, *self_test_tables()));
  auto codes = attempt_all(programs);
  HF_TRY(programs.withdraw(HF_TABLES_SELF_TEST));
  if (!codes) return std::move(codes).error();
  HF_TRY(ring->consume());
  HF_TRY(judge(programs, *codes, events, refusals));
  programs.record().reset_totals();
  return {};
}

}  // namespace holdfast::backend::lsm
