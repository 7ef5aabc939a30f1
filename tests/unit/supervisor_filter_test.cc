// SPDX-License-Identifier: Apache-2.0
//
// The filter as the kernel would run it: a classic BPF interpreter over the program.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstring>
#include <memory>

#include "backend/supervisor/filter.h"

namespace {

using namespace holdfast;

constexpr std::uint32_t kEpermError = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kEnosysError = SECCOMP_RET_ERRNO | ENOSYS;

// The statements that SeccompFilter emits; anything else fails the test.
std::uint32_t interpret(const sock_fprog& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.len; at++) {
    const sock_filter& s = program.filter[at];
    switch (s.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + s.k, sizeof(accumulator));
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == s.k ? s.jt : s.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += accumulator > s.k ? s.jt : s.jf;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        at += (accumulator & s.k) ? s.jt : s.jf;
        break;
      case BPF_RET | BPF_K:
        return s.k;
      default:
        ADD_FAILURE() << "statement " << at << " has code " << s.code;
        return SECCOMP_RET_KILL_PROCESS;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return SECCOMP_RET_KILL_PROCESS;
}

class Filter : public testing::Test {
 protected:
  Filter() : tables_(std::make_unique<hf_tables>()) { tables_->profiles[1].ns_create = HF_NS_ALL; }

  std::uint32_t run(int number, std::uint64_t a0 = 0, std::uint64_t a1 = 0, std::uint64_t a2 = 0,
                    std::uint32_t arch = AUDIT_ARCH_X86_64) {
    auto filter = backend::supervisor::make_filter(*tables_, 1, wanted_);
    const seccomp_data data = {number, arch, 0, {a0, a1, a2, 0, 0, 0}};
    return interpret(*filter.finish(), data);
  }
  void confine() { tables_->profiles[1].ns_enter = HF_ENTER_OWN; }

  std::unique_ptr<hf_tables> tables_;
  backend::supervisor::Wanted wanted_;
};

TEST_F(Filter, SeesSocketOperationsWhereAsked) {
  EXPECT_EQ(run(SYS_connect), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_write), SECCOMP_RET_ALLOW);
  wanted_.socket_operations = HF_SOCK_CONNECT;
  EXPECT_EQ(run(SYS_connect), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_bind), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_write), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_setsockopt, 3, 132, 110), kEpermError);
  EXPECT_EQ(run(SYS_setsockopt, 3, 1, 110), SECCOMP_RET_ALLOW);
  wanted_.socket_operations = HF_SOCK_SEND;
  for (const int number : {SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_write, SYS_writev,
                           SYS_pwritev2, SYS_sendfile, SYS_splice})
    EXPECT_EQ(run(number), SECCOMP_RET_USER_NOTIF) << number;
  EXPECT_EQ(run(SYS_io_submit), kEnosysError);
}

TEST_F(Filter, AllowsNoSctpWhereBindOrConnectAreJudged) {
  EXPECT_EQ(run(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP), SECCOMP_RET_ALLOW);
  for (const std::uint32_t operation : {HF_SOCK_BIND, HF_SOCK_CONNECT}) {
    wanted_.socket_operations = operation;
    for (const int family : {AF_INET, AF_INET6}) {
      EXPECT_EQ(run(SYS_socket, family, SOCK_STREAM, IPPROTO_SCTP), kEpermError);
      EXPECT_EQ(run(SYS_socket, family, SOCK_SEQPACKET), kEpermError);
      EXPECT_EQ(run(SYS_socket, family, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK),
                kEpermError);
      for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_DCCP})
        EXPECT_EQ(run(SYS_socket, family, type | SOCK_CLOEXEC), SECCOMP_RET_ALLOW) << type;
    }
    EXPECT_EQ(run(SYS_socket, AF_UNIX, SOCK_SEQPACKET), SECCOMP_RET_ALLOW);
  }
}

TEST_F(Filter, SeesSharedDescriptorTablesWhereSocketsAreJudged) {
  tables_->profiles[1].socket_count = 1;
  EXPECT_EQ(run(SYS_clone, CLONE_FILES | 17), SECCOMP_RET_USER_NOTIF);
}

TEST(FilterWithoutLimits, StopsNothingByItself) {
  constexpr std::uint32_t k32Bit = AUDIT_ARCH_I386;
  auto filter = kernel::SeccompFilter::without_limits();
  filter.add(SYS_setns, {{1, kernel::ArgumentTest::Kind::equals, 7}}, SECCOMP_RET_USER_NOTIF);
  const sock_fprog& program = *filter.finish();
  const auto run = [&](int number, std::uint64_t a1, std::uint32_t arch = AUDIT_ARCH_X86_64) {
    return interpret(program, {number, arch, 0, {0, a1, 0, 0, 0, 0}});
  };
  EXPECT_EQ(run(SYS_setns, 7), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_setns, 8), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_setns, 7, k32Bit), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(100'000, 7), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_setns | 0x40000000, 7), SECCOMP_RET_ALLOW);
}

TEST_F(Filter, SeesAttributesWhereAsked) {
  using backend::calls::AttributeCalls;
  for (const int number : {SYS_fsetxattr, SYS_setxattr, SYS_fremovexattr, 463, 466}) {
    wanted_.attributes = AttributeCalls::none;
    EXPECT_EQ(run(number), SECCOMP_RET_ALLOW) << number;
    wanted_.attributes = AttributeCalls::changes;
    EXPECT_EQ(run(number), SECCOMP_RET_USER_NOTIF) << number;
  }
  for (const int number : {SYS_fgetxattr, SYS_listxattr, 464, 465}) {
    wanted_.attributes = AttributeCalls::changes;
    EXPECT_EQ(run(number), SECCOMP_RET_ALLOW) << number;
    wanted_.attributes = AttributeCalls::all;
    EXPECT_EQ(run(number), SECCOMP_RET_USER_NOTIF) << number;
  }
  for (const auto seen : {AttributeCalls::by_descriptor, AttributeCalls::changes_by_path}) {
    wanted_.attributes = seen;
    for (const int number : {SYS_getxattr, SYS_listxattr, SYS_lsetxattr, SYS_lgetxattr, 464, 465})
      EXPECT_EQ(run(number), SECCOMP_RET_ALLOW) << number;
    for (const int number : {SYS_fgetxattr, SYS_fsetxattr, SYS_flistxattr, SYS_fremovexattr})
      EXPECT_EQ(run(number), SECCOMP_RET_USER_NOTIF) << number;
    for (const int number : {463, 464, 465, 466})
      EXPECT_EQ(run(number, 0, 0, AT_EMPTY_PATH), SECCOMP_RET_USER_NOTIF) << number;
    const auto by_path =
        seen == AttributeCalls::by_descriptor ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
    for (const int number : {SYS_setxattr, SYS_removexattr, 463, 466})
      EXPECT_EQ(run(number), by_path) << number;
  }
}

TEST_F(Filter, LetsOrdinaryCallsThrough) {
  for (const int number : {SYS_read, SYS_openat, SYS_execve, SYS_fork, SYS_vfork, SYS_exit_group})
    EXPECT_EQ(run(number), SECCOMP_RET_ALLOW) << number;
}

TEST_F(Filter, KillsAnotherArchitecture) {
  EXPECT_EQ(run(SYS_read, 0, 0, 0, AUDIT_ARCH_I386), SECCOMP_RET_KILL_PROCESS);
}

TEST_F(Filter, RefusesX32AndUnknownNumbers) {
  EXPECT_EQ(run(SYS_setns | 0x40000000), kEnosysError);
  EXPECT_EQ(run(4711), kEnosysError);
  EXPECT_EQ(run(-1), kEnosysError);
}

TEST_F(Filter, SeesEveryWayToMakeANamespace) {
  EXPECT_EQ(run(SYS_unshare), SECCOMP_RET_USER_NOTIF);
  for (const std::uint64_t flag : {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                                   CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP})
    EXPECT_EQ(run(SYS_clone, flag | 17), SECCOMP_RET_USER_NOTIF) << flag;
  EXPECT_EQ(run(SYS_clone, 17), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_clone3), kEnosysError);
  EXPECT_EQ(run(SYS_fsmount, 3, 2), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_fsmount, 3, 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_open_tree, 3, 0, 3), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_open_tree, 3, 0, 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(467, 3, 0, 2), SECCOMP_RET_USER_NOTIF);
}

TEST_F(Filter, SeesSetns) { EXPECT_EQ(run(SYS_setns, 3), SECCOMP_RET_USER_NOTIF); }

// Also under no policy: that of a nested run may need it.
TEST_F(Filter, SeesSharedDescriptorTables) {
  EXPECT_EQ(run(SYS_clone, CLONE_FILES), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_clone, CLONE_FILES | 17), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_clone, CLONE_FILES | CLONE_NEWNET), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_clone, CLONE_FILES | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND),
            SECCOMP_RET_ALLOW);
}

TEST_F(Filter, SeesWhatTypesIntoATerminal) {
  EXPECT_EQ(run(SYS_ioctl, 0, TIOCSTI), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_ioctl, 0, TIOCLINUX), SECCOMP_RET_USER_NOTIF);
  for (const std::uint64_t command : {TCGETS, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP, FIONREAD})
    EXPECT_EQ(run(SYS_ioctl, 0, command), SECCOMP_RET_ALLOW) << command;
}

TEST_F(Filter, SeesSharedDescriptorTablesWhereCgroupsAreProtected) {
  wanted_.cgroup_files = true;
  EXPECT_EQ(run(SYS_clone, CLONE_FILES | 17), SECCOMP_RET_USER_NOTIF);
}

TEST_F(Filter, SeesShortWritesAndOpensForWritingWhereCgroupsAreProtected) {
  wanted_.cgroup_files = true;
  wanted_.cgroup_writes = true;
  EXPECT_EQ(run(SYS_write, 3, 0, 31), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_write, 3, 0, 32), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_writev, 3, 0, 3), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_writev, 3, 0, 4), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_openat, 3, 0, 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_openat, 3, 0, 0), SECCOMP_RET_ALLOW);
}

TEST_F(Filter, SeesNoWritesWhereFilesOfCgroupsAreAnswered) {
  wanted_.cgroup_files = true;
  EXPECT_EQ(run(SYS_write, 3, 0, 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_writev, 3, 0, 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_openat, 3, 0, 1), SECCOMP_RET_USER_NOTIF);
}

// The kernel takes an int or an unsigned int from the lower half of a register.
TEST_F(Filter, LooksAtTheHalfOfARegisterThatTheKernelReads) {
  constexpr std::uint64_t kHigh = 0xdeadbeef00000000;
  wanted_.cgroup_files = true;
  confine();
  EXPECT_EQ(run(SYS_clone, kHigh | CLONE_NEWNET | 17), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_clone, kHigh | CLONE_FILES | 17), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_fsmount, 3, kHigh | 2), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_open_tree, 3, 0, kHigh | 2), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_open, 0, kHigh | 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_openat, 3, 0, kHigh | 2), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(
      run(SYS_seccomp, kHigh | SECCOMP_SET_MODE_FILTER, kHigh | SECCOMP_FILTER_FLAG_NEW_LISTENER),
      SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_ioctl, 0, kHigh | TIOCSTI), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_prlimit64, kHigh | 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_prlimit64, kHigh), SECCOMP_RET_ALLOW);
}

TEST_F(Filter, SeesTracingByTheConfined) {
  EXPECT_EQ(run(SYS_ptrace, PTRACE_ATTACH, 1), SECCOMP_RET_ALLOW);
  confine();
  EXPECT_EQ(run(SYS_ptrace, PTRACE_ATTACH, 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_ptrace, PTRACE_POKEDATA, 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_ptrace, PTRACE_TRACEME), SECCOMP_RET_ALLOW);
  for (const int number : {SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd})
    EXPECT_EQ(run(number, 1), SECCOMP_RET_USER_NOTIF) << number;
}

TEST_F(Filter, DefendsItself) {
  EXPECT_EQ(run(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER),
            SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC),
            SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_prlimit64, 0), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_prlimit64, 1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_prlimit64, 0, RLIMIT_LOCKS), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_setrlimit, RLIMIT_LOCKS), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(SYS_setrlimit, RLIMIT_NOFILE), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(SYS_seccomp, kernel::kNestedRunOperation), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(425), SECCOMP_RET_USER_NOTIF);  // io_uring_setup
  for (const int number : {426, 427}) EXPECT_EQ(run(number), kEnosysError) << number;
}

}  // namespace
