// SPDX-License-Identifier: Apache-2.0
//
// The supervisor's loop under a fake listener and a fake /proc: each call is answered once, a call
// is refused when a fact cannot be read, and a dead caller gets no answer.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <thread>

#include "fakes/fake_run.h"

namespace {

using namespace holdfast;
using fakes::FakeRun;
using fakes::kFirstTask;
using fakes::kSecondTask;
using fakes::Reply;

constexpr const char* kPolicy = R"(version = 1
[profile.a]
namespaces = { create = ["net"], enter = "none" }
label.set = ["user.a"]
)";

TEST(SupervisorSession, AllowsACreationThatThePolicyLists) {
  FakeRun run(kPolicy);
  const Reply reply = run.call(SYS_unshare, {CLONE_NEWNET});
  EXPECT_TRUE(reply.continued);
  EXPECT_EQ(reply.count, 1u);
}

TEST(SupervisorSession, RefusesACreationThatThePolicyDoesNotList) {
  FakeRun run(kPolicy);
  const Reply reply = run.call(SYS_unshare, {CLONE_NEWUTS});
  EXPECT_EQ(reply.error, EPERM);
  EXPECT_EQ(reply.count, 1u);
  ASSERT_EQ(run.events().size(), 1u);
  EXPECT_EQ(run.events()[0].request.op, HF_OP_NAMESPACE_ALLOC);
  EXPECT_EQ(run.events()[0].verdict.reason, HF_REASON_CREATE);
}

// The kernel reads the lower 32 bits of the flags of unshare() as they are; bits above them are
// EINVAL there, and may be a namespace of a kernel to come.
TEST(SupervisorSession, RefusesFlagsThatItDoesNotKnow) {
  FakeRun run(kPolicy);
  EXPECT_EQ(run.call(SYS_unshare, {CLONE_NEWNET | (std::uint64_t{1} << 40)}).error, EINVAL);
}

TEST(SupervisorSession, RefusesACallerThatIsNotInProc) {
  FakeRun run(kPolicy);
  const Reply reply = run.call(SYS_unshare, {CLONE_NEWNET}, kSecondTask);
  EXPECT_EQ(reply.error, EPERM);
  ASSERT_EQ(run.events().size(), 1u);
  EXPECT_EQ(run.events()[0].verdict.reason, HF_REASON_FACTS_MISSING);
}

TEST(SupervisorSession, RefusesACallerWhoseNamespacesCannotBeRead) {
  FakeRun tracking(R"(version = 1
[profile.a]
namespaces = { create = ["net"], enter = "own", track = true }
)");
  FakeRun plain(kPolicy);
  for (const char* file : {"ns/net", "ns/user", "ns/pid"}) {
    for (FakeRun* run : {&tracking, &plain}) {
      run->proc().remove(kFirstTask);
      run->proc().add({.thread = kFirstTask, .parent = ::getpid()});
      run->proc().remove_file(kFirstTask, file);
    }
    EXPECT_EQ(tracking.call(SYS_unshare, {CLONE_NEWNET}).error, EPERM) << file;
    EXPECT_EQ(plain.call(SYS_setns, {3, CLONE_NEWNET}).error, EPERM) << file;
    EXPECT_TRUE(plain.call(SYS_unshare, {CLONE_NEWNET}).continued) << "they do not matter";
    EXPECT_EQ(plain.call(SYS_unshare, {CLONE_NEWUTS}).error, EPERM);
  }
}

TEST(SupervisorSession, LooksAtNothingThatNoRuleAsksFor) {
  FakeRun run("version = 1\n[profile.a]\n");
  EXPECT_TRUE(run.call(SYS_unshare, {CLONE_NEWNET}, kSecondTask).continued);
  EXPECT_TRUE(run.call(SYS_setns, {3, CLONE_NEWNET}, kSecondTask).continued);
  EXPECT_TRUE(run.call(SYS_clone, {CLONE_NEWNET | 17}, kSecondTask).continued);
  EXPECT_EQ(run.call(SYS_clone, {CLONE_FILES | 17}, kSecondTask).error, EPERM)
      << "sharing has to be recorded";
  FakeRun all("version = 1\n[profile.a]\nlog = \"all\"\n");
  EXPECT_TRUE(all.call(SYS_unshare, {CLONE_NEWNET}).continued);
  EXPECT_EQ(all.events().size(), 1u);
  FakeRun create(kPolicy);
  EXPECT_EQ(create.call(SYS_setns, {3, CLONE_NEWNET}, kSecondTask).error, EPERM);
}

TEST(SupervisorSession, LooksAtNothingWhereNoNamespaceIsMade) {
  FakeRun run(kPolicy);
  EXPECT_TRUE(run.call(SYS_unshare, {CLONE_FILES | CLONE_FS}, kSecondTask).continued);
  EXPECT_TRUE(run.call(SYS_unshare, {0}, kSecondTask).continued);
  EXPECT_TRUE(run.events().empty());
}

TEST(SupervisorSession, DoesNotAnswerACallerThatHasDied) {
  FakeRun run(kPolicy);
  const std::uint64_t id = run.listener().deliver(kFirstTask, SYS_unshare, {CLONE_NEWUTS});
  run.listener().end(id);
  EXPECT_TRUE(run.dispatch());
  EXPECT_EQ(run.listener().reply(id).count, 0u);
  EXPECT_TRUE(run.events().empty()) << "no decision about another task's facts";
}

TEST(SupervisorSession, GoesOnAfterASignalAndAfterADeadCaller) {
  FakeRun run(kPolicy);
  for (const int error : {EINTR, ENOENT}) {
    run.listener().fail_next_receive(error);
    EXPECT_EQ(run.call(SYS_unshare, {CLONE_NEWUTS}).error, EPERM);
  }
}

TEST(SupervisorSession, EndsWithAnErrorWhenTheListenerFails) {
  FakeRun run(kPolicy);
  run.listener().fail_next_receive(EBADF);
  run.listener().deliver(kFirstTask, SYS_unshare, {CLONE_NEWUTS});
  const auto done = run.dispatch();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EBADF);
}

TEST(SupervisorSession, RefusesCharactersTypedIntoATerminal) {
  FakeRun run(kPolicy);
  EXPECT_EQ(run.call(SYS_ioctl, {0, TIOCSTI}).error, EPERM);
  ASSERT_EQ(run.guard_events().size(), 1u);
  EXPECT_EQ(run.guard_events()[0].what, HF_GUARD_TERMINAL);
}

TEST(SupervisorSession, RefusesASocketCallWhoseDescriptorCannotBeRead) {
  FakeRun run(R"(version = 1
[profile.a]
[[profile.a.socket]]
on = ["connect"]
family = ["inet"]
verdict = "deny"
)");
  EXPECT_EQ(run.call(SYS_connect, {3, 4096, 16}).error, EPERM);
}

TEST(SupervisorSession, LooksAtNoFileThatIsNoSocket) {
  FakeRun run(R"(version = 1
[profile.a]
[[profile.a.socket]]
on = ["connect", "send"]
family = ["inet"]
verdict = "deny"
)");
  EXPECT_TRUE(run.call(SYS_write, {4, 4096, 1}).continued);
  EXPECT_EQ(run.call(SYS_connect, {4, 4096, 16}).error, ENOTSOCK);
  EXPECT_EQ(run.call(SYS_connect, {5, 4096, 16}).error, EBADF);
  EXPECT_EQ(run.call(SYS_write, {3, 4096, 1}).error, EPERM) << "a socket that cannot be read";
}

TEST(SupervisorSession, LooksAtNoSocketThatNoRuleCouldRefuse) {
  FakeRun run(R"(version = 1
[profile.a]
[[profile.a.socket]]
on = ["send"]
label = { "user.never" = "1" }
verdict = "deny"
)");
  run.proc().remove(kFirstTask);
  EXPECT_TRUE(run.call(SYS_write, {3, 4096, 1}).continued);
  EXPECT_TRUE(run.call(SYS_sendto, {3, 4096, 1}).continued);
}

TEST(SupervisorSession, ReadsTheNameOfALabelInAJob) {
  FakeRun run(kPolicy);
  run.proc().write_memory(kFirstTask, 4096, std::string("user.x\0", 7));
  const std::uint64_t id = run.listener().deliver(kFirstTask, SYS_fgetxattr, {3, 4096, 0, 0});
  ASSERT_TRUE(run.dispatch());
  // Another task's call is answered whether or not the memory of this one was read.
  EXPECT_EQ(run.call(SYS_unshare, {CLONE_NEWUTS}).error, EPERM);
  for (int look = 0; look < 1000 && run.listener().waiting(id); look++) {
    kernel::sleep_us(1000);
    ASSERT_TRUE(run.dispatch());
  }
  EXPECT_EQ(run.listener().reply(id).count, 1u);
}

TEST(SupervisorSession, RefusesToChangeLimitsOfATaskThatItCannotName) {
  FakeRun run(kPolicy);
  constexpr std::uint64_t kNewLimits = 4096;
  EXPECT_EQ(run.call(SYS_prlimit64, {4242, 7, kNewLimits}).error, EPERM);
  ASSERT_EQ(run.guard_events().size(), 1u);
  EXPECT_EQ(run.guard_events()[0].what, HF_GUARD_LIMIT);
  EXPECT_EQ(run.call(SYS_prlimit64, {static_cast<std::uint64_t>(-1), 7, kNewLimits}).error, ESRCH);
  EXPECT_TRUE(run.call(SYS_prlimit64, {4242, 7, 0, kNewLimits}).continued) << "only reads";
}

TEST(SupervisorSession, CountsCallsThatTheTreeDoesNotHave) {
  FakeRun run(kPolicy);
  constexpr int kIoUringSetup = 425;
  EXPECT_EQ(run.call(kIoUringSetup, {8, 4096}).error, ENOSYS);
  EXPECT_EQ(run.call(SYS_seccomp, {1, SECCOMP_FILTER_FLAG_NEW_LISTENER, 4096}).error, EBUSY);
  EXPECT_EQ(run.call(SYS_seccomp, {1, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0}).error, EFAULT);
  run.proc().remove(kFirstTask);
  EXPECT_EQ(run.call(SYS_prlimit64, {4242, 7, 4096}).error, EPERM);
  const auto totals = run.finish();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->unreported.rings, 1u);
  EXPECT_EQ(totals->unreported.listeners, 1u);
  EXPECT_EQ(totals->unreported.unread, 0u) << "the guard's event stands for it";
}

TEST(SupervisorSession, LetsATaskGoOnWhoseNamespacesDoNotMatter) {
  FakeRun run("version = 1\n[profile.a]\n");
  run.proc().remove_file(kFirstTask, "ns/net");
  EXPECT_TRUE(run.call(SYS_unshare, {CLONE_NEWUSER}).continued);
}

// One rule's bucket neither fills another's nor depends on how many others there are.
TEST(SupervisorBuckets, AreOneForEachRule) {
  const auto rule = [](std::uint32_t number, std::uint64_t period_ns, std::uint32_t burst) {
    hf_socket_rule made = {};
    made.rule = number;
    made.rate_tokens = 1;
    made.rate_period_ns = period_ns;
    made.rate_burst = burst;
    return made;
  };
  backend::supervisor::Buckets buckets;
  constexpr std::uint64_t kHour = 3'600'000'000'000;
  const hf_socket_rule slow = rule(1, kHour, 3);
  EXPECT_FALSE(buckets.take(slow, 4)) << "all or none";
  EXPECT_TRUE(buckets.take(slow, 2));
  EXPECT_TRUE(buckets.take(slow, 1));
  for (std::uint32_t number = 2; number < 70'000; number++)
    ASSERT_TRUE(buckets.take(rule(number, 1, 1), 1));
  EXPECT_FALSE(buckets.take(slow, 1)) << "it is still empty";
}

// backend/calls/shared_tables.cc has the reasons.
class SharedTablesTest : public testing::Test {
 protected:
  bool record(pid_t thread) {
    const auto task = view_.task(thread);
    return task && shared_.record(*task, [] { return true; });
  }
  bool possible(pid_t process) { return shared_.possible(*view_.task(process), process); }

  fakes::FakeProc proc_;
  kernel::Proc view_ = proc_.open();
  backend::calls::SharedTables shared_{view_};
  static constexpr std::uint64_t kLater = ~std::uint64_t{0} >> 1;
};

TEST_F(SharedTablesTest, SharesNothingBeforeAClone) {
  proc_.add({.thread = kFirstTask, .executed = false, .start_ticks = kLater});
  EXPECT_FALSE(possible(kFirstTask));
}

TEST_F(SharedTablesTest, CountsWhoMadeTheCloneAndLaterChildren) {
  proc_.add({.thread = kFirstTask});
  ASSERT_TRUE(record(kFirstTask));
  EXPECT_TRUE(possible(kFirstTask));
  proc_.add({.thread = kSecondTask, .executed = false, .start_ticks = kLater});
  EXPECT_TRUE(possible(kSecondTask)) << "may be the child";
}

TEST_F(SharedTablesTest, DoesNotCountOlderProcessesNorThoseThatExecutedAProgram) {
  proc_.add({.thread = kFirstTask});
  ASSERT_TRUE(record(kFirstTask));
  proc_.add({.thread = kSecondTask, .executed = false, .start_ticks = 0});
  EXPECT_FALSE(possible(kSecondTask)) << "older";
  proc_.add({.thread = kSecondTask + 1, .executed = true, .start_ticks = kLater});
  EXPECT_FALSE(possible(kSecondTask + 1)) << "executed a program";
}

TEST_F(SharedTablesTest, CountsTheProcessOfAThreadThatMadeTheClone) {
  proc_.add({.thread = kFirstTask, .threads = 2});
  proc_.add({.thread = kSecondTask, .process = kFirstTask, .threads = 2});
  ASSERT_TRUE(record(kSecondTask));
  EXPECT_TRUE(possible(kFirstTask));
}

TEST_F(SharedTablesTest, DoesNotTakeAnotherProcessOfTheSameNumberForTheMaker) {
  proc_.add({.thread = kFirstTask});
  ASSERT_TRUE(record(kFirstTask));
  proc_.remove(kFirstTask);
  proc_.add({.thread = kFirstTask, .start_ticks = kLater});
  EXPECT_FALSE(possible(kFirstTask));
}

TEST_F(SharedTablesTest, CountsEachProcessWhenAFactCannotBeRead) {
  proc_.add({.thread = kFirstTask});
  proc_.add({.thread = kSecondTask});
  ASSERT_TRUE(record(kFirstTask));
  proc_.remove_file(kSecondTask, "stat");
  EXPECT_TRUE(possible(kSecondTask));
  EXPECT_FALSE(record(kSecondTask)) << "the clone is refused";
}

TEST(SupervisorSession, AllowsACloneThatSharesDescriptors) {
  FakeRun run(kPolicy);
  EXPECT_TRUE(run.call(SYS_clone, {CLONE_FILES | CLONE_VM | 17}).continued);
  EXPECT_TRUE(run.events().empty());
  EXPECT_EQ(run.call(SYS_clone, {CLONE_FILES | CLONE_NEWUTS | 17}).error, EPERM);
}

TEST(SupervisorSession, RefusesACloneThatItCannotRecord) {
  FakeRun run(kPolicy);
  run.proc().remove_file(kFirstTask, "stat");
  EXPECT_EQ(run.call(SYS_clone, {CLONE_FILES | CLONE_VM | 17}).error, EPERM);
}

TEST(SupervisorSession, CountsWhatItDecided) {
  FakeRun run(kPolicy);
  run.call(SYS_unshare, {CLONE_NEWNET});
  run.call(SYS_unshare, {CLONE_NEWUTS});
  const auto totals = run.finish();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->allowed, 1u);
  EXPECT_EQ(totals->denied, 1u);
}

// Calls arrive while others are answered: for the thread sanitizer.
TEST(SupervisorSession, AnswersCallsThatArriveMeanwhile) {
  FakeRun run(kPolicy);
  constexpr int kCalls = 200;
  std::vector<std::uint64_t> ids;
  std::thread caller([&] {
    for (int i = 0; i < kCalls; i++)
      ids.push_back(run.listener().deliver(
          kFirstTask, SYS_unshare,
          {i % 2 ? std::uint64_t{CLONE_NEWNET} : std::uint64_t{CLONE_NEWUTS}}));
  });
  for (int i = 0; i < kCalls; i++) EXPECT_TRUE(run.dispatch());
  caller.join();
  EXPECT_TRUE(run.dispatch());
  for (int i = 0; i < kCalls; i++) EXPECT_TRUE(run.dispatch());
  for (const std::uint64_t id : ids) EXPECT_EQ(run.listener().reply(id).count, 1u);
}

}  // namespace
