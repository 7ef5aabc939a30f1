// SPDX-License-Identifier: Apache-2.0
#include "backend/supervisor/filter.h"

#include <fcntl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <initializer_list>

namespace holdfast::backend::supervisor {
namespace {

using Kind = kernel::ArgumentTest::Kind;
using kernel::seccomp_error;
using kernel::SeccompFilter;

// The highest system call number of Linux 7.0. A later call could make or enter a namespace without
// a notification, so it gets ENOSYS. Programs expect that from older kernels.
constexpr unsigned kNewestNumber = 471;

constexpr std::uint32_t kIoprioUser = 3;  // IOPRIO_WHO_USER, not in the headers of a libc

// clone(2) takes 32 bits of flags; CLONE_NEWTIME would collide with the exit signal.
constexpr std::uint32_t kCloneNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                           CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                           CLONE_NEWCGROUP;

void add_creation(SeccompFilter& filter) {
  filter.add(SYS_unshare, {}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_clone, {{0, Kind::any_bit, kCloneNamespaces}}, SECCOMP_RET_USER_NOTIF);
  // The flags are in memory, where a filter cannot read them and they may change. Every libc falls
  // back to clone() after ENOSYS.
  filter.add(SYS_clone3, {}, seccomp_error(ENOSYS));
  filter.add(SYS_fsmount, {{1, Kind::any_bit, kFsmountNamespace}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_open_tree, {{2, Kind::any_bit, kOpenTreeNamespace}}, SECCOMP_RET_USER_NOTIF);
  filter.add(kOpenTreeAttrNumber, {{2, Kind::any_bit, kOpenTreeNamespace}}, SECCOMP_RET_USER_NOTIF);
}

// A descriptor names the same object before and after the decision only if no other task can change
// the descriptor table. So the supervisor records which processes share one
// (backend/calls/shared_tables.cc).
void add_shared_tables(SeccompFilter& filter) {
  filter.add(SYS_clone, {{0, Kind::any_bit, CLONE_FILES}, {0, Kind::no_bit, CLONE_THREAD}},
             SECCOMP_RET_USER_NOTIF);
}

void add_trace(SeccompFilter& filter) {
  // PTRACE_TRACEME is harmless: each action of the tracer is a ptrace() call of its own.
  filter.add(SYS_ptrace, {{0, Kind::differs, PTRACE_TRACEME}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_process_vm_readv, {}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_process_vm_writev, {}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_pidfd_getfd, {}, SECCOMP_RET_USER_NOTIF);
}

void ask_about(SeccompFilter& filter, std::initializer_list<int> numbers) {
  for (const int number : numbers) filter.add(number, {}, SECCOMP_RET_USER_NOTIF);
}

// An SCTP socket can bind and connect by setsockopt(), and connect by a message with an address,
// which a filter cannot read. So the tree can make no SCTP sockets. An SCTP socket that comes from
// outside can still connect by a message.
void add_sctp(SeccompFilter& filter) {
  constexpr std::uint32_t kSolSctp = 132;
  filter.add(SYS_socket, {{2, Kind::equals, IPPROTO_SCTP}}, seccomp_error(EPERM));
  // SOCK_SEQPACKET without a protocol means SCTP. The type argument can also contain flags.
  static_assert(SOCK_SEQPACKET == 5);
  for (const std::uint32_t family : {AF_INET, AF_INET6})
    filter.add(SYS_socket,
               {{0, Kind::equals, family},
                {1, Kind::any_bit, 1},
                {1, Kind::no_bit, 2},
                {1, Kind::any_bit, 4},
                {1, Kind::no_bit, 8}},
               seccomp_error(EPERM));
  for (const std::uint32_t option :
       {100u /* BINDX_ADD */, 107u /* CONNECTX_OLD */, 110u /* CONNECTX */})
    filter.add(SYS_setsockopt, {{1, Kind::equals, kSolSctp}, {2, Kind::equals, option}},
               seccomp_error(EPERM));
  filter.add(SYS_getsockopt, {{1, Kind::equals, kSolSctp}, {2, Kind::equals, 111 /* CONNECTX3 */}},
             seccomp_error(EPERM));
}

void add_sockets(SeccompFilter& filter, std::uint32_t operations) {
  if (operations & HF_SOCK_BIND) ask_about(filter, {SYS_bind});
  if (operations & HF_SOCK_CONNECT) ask_about(filter, {SYS_connect});
  if (operations & (HF_SOCK_BIND | HF_SOCK_CONNECT)) add_sctp(filter);
  if (operations & HF_SOCK_LISTEN) ask_about(filter, {SYS_listen});
  if (operations & HF_SOCK_ACCEPT) ask_about(filter, {SYS_accept, SYS_accept4});
  if (operations & HF_SOCK_SEND) {
    ask_about(filter, {SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_write, SYS_writev, SYS_pwritev2,
                       SYS_sendfile, SYS_splice});
    filter.add(SYS_io_submit, {}, seccomp_error(ENOSYS));  // can write to sockets
  } else if (operations & HF_SOCK_CONNECT) {
    filter.add(SYS_sendto, {{3, Kind::any_bit, MSG_FASTOPEN}}, SECCOMP_RET_USER_NOTIF);
    filter.add(SYS_sendmsg, {{2, Kind::any_bit, MSG_FASTOPEN}}, SECCOMP_RET_USER_NOTIF);
    filter.add(SYS_sendmmsg, {{3, Kind::any_bit, MSG_FASTOPEN}}, SECCOMP_RET_USER_NOTIF);
  }
}

void add_cgroup_files(SeccompFilter& filter) {
  filter.add(SYS_open, {{1, Kind::any_bit, O_ACCMODE}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_openat, {{2, Kind::any_bit, O_ACCMODE}}, SECCOMP_RET_USER_NOTIF);
  ask_about(filter, {SYS_openat2, SYS_creat});
}

// Programs write to cgroup.procs with write() or writev(); the streams of a libc use one of them.
void add_cgroup_writes(SeccompFilter& filter) {
  static_assert((kMaxMoveBytes & (kMaxMoveBytes + 1)) == 0, "a mask of low bits");
  static_assert((kMaxMoveVectors & (kMaxMoveVectors + 1)) == 0, "a mask of low bits");
  filter.add(SYS_write, {{2, Kind::no_bit, ~kMaxMoveBytes}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_writev, {{2, Kind::no_bit, ~kMaxMoveVectors}}, SECCOMP_RET_USER_NOTIF);
}

// Two ioctls insert bytes into the input of a terminal, as if they had been typed: TIOCSTI, and
// TIOCLINUX with the subcommand for pasting. The subcommand is in memory, and the descriptor may
// name another terminal later. So both ioctls are refused for every terminal. The kernel reads the
// command of an ioctl as unsigned int.
void add_terminals(SeccompFilter& filter) {
  for (const std::uint32_t command : {std::uint32_t{TIOCSTI}, std::uint32_t{TIOCLINUX}})
    filter.add(SYS_ioctl, {{1, Kind::equals, command}}, SECCOMP_RET_USER_NOTIF);
}

// Calls that change how another task is scheduled. The supervisor is a task of the same user, and a
// run waits while it does not run.
void add_scheduling(SeccompFilter& filter) {
  for (const int number :
       {SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr})
    filter.add(number, {{0, Kind::differs, 0}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_setpriority, {{1, Kind::differs, 0}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_setpriority, {{0, Kind::equals, PRIO_USER}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_ioprio_set, {{1, Kind::differs, 0}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_ioprio_set, {{0, Kind::equals, kIoprioUser}}, SECCOMP_RET_USER_NOTIF);
}

// Refuses attacks on the supervisor, and interfaces whose operations pass no filter.
void add_self_defence(SeccompFilter& filter) {
  // A new listener could answer the calls in place of the supervisor after it has died. The
  // supervisor refuses and counts this call; after its death the kernel answers ENOSYS.
  filter.add(SYS_seccomp,
             {{0, Kind::equals, SECCOMP_SET_MODE_FILTER},
              {1, Kind::any_bit, SECCOMP_FILTER_FLAG_NEW_LISTENER}},
             SECCOMP_RET_USER_NOTIF);
  // Could lower limits of the supervisor, such as its open files or processor time.
  filter.add(SYS_prlimit64, {{0, Kind::differs, 0}}, SECCOMP_RET_USER_NOTIF);
  // What a nested run asks for, and the limit that tells its tasks from others
  // (backend/supervisor/nested_runs.h).
  filter.add(SYS_seccomp, {{0, Kind::equals, kernel::kNestedRunOperation}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_prlimit64, {{1, Kind::equals, RLIMIT_LOCKS}}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_setrlimit, {{0, Kind::equals, RLIMIT_LOCKS}}, SECCOMP_RET_USER_NOTIF);
  // Seccomp filters do not apply to io_uring operations. The first call is counted.
  filter.add(SYS_io_uring_setup, {}, SECCOMP_RET_USER_NOTIF);
  filter.add(SYS_io_uring_enter, {}, seccomp_error(ENOSYS));
  filter.add(SYS_io_uring_register, {}, seccomp_error(ENOSYS));
}

}  // namespace

bool confines(const hf_profile& profile) {
  return profile.ns_enter != HF_ENTER_ANY || profile.ns_create != HF_NS_ALL;
}

SeccompFilter make_filter(const hf_tables& tables, std::uint16_t profile_number,
                          const Wanted& wanted) {
  const hf_profile& profile = tables.profiles[profile_number];
  SeccompFilter filter(kNewestNumber);
  // Always: the policy of a nested run may need it.
  add_shared_tables(filter);
  add_creation(filter);
  filter.add(SYS_setns, {}, SECCOMP_RET_USER_NOTIF);
  if (confines(profile)) add_trace(filter);
  calls::add_attribute_calls(filter, wanted.attributes);
  add_sockets(filter, wanted.socket_operations);
  if (wanted.cgroup_files) add_cgroup_files(filter);
  if (wanted.cgroup_files && wanted.cgroup_writes) add_cgroup_writes(filter);
  if (wanted.confinement) ask_about(filter, {SYS_landlock_restrict_self});
  add_terminals(filter);
  add_scheduling(filter);
  add_self_defence(filter);
  return filter;
}

}  // namespace holdfast::backend::supervisor
