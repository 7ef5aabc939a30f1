// SPDX-License-Identifier: Apache-2.0
//
// Who is in the tree, and which namespaces are the sandbox's, for real processes of this test.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "backend/supervisor/process_tree.h"
#include "backend/supervisor/sandbox.h"

namespace {

using namespace holdfast;
using backend::supervisor::Membership;
using backend::supervisor::Ownership;
using backend::supervisor::ProcessTree;
using backend::supervisor::Sandbox;

// A child that waits to be killed.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0)
      for (;;) ::pause();
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// One with a seccomp filter of its own.
class FilteredChild {
 public:
  FilteredChild() {
    std::array<int, 2> ready = {};
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
      const sock_fprog program = {1, &allow};
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
      (void)!::write(ready[1], "r", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~FilteredChild() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

Membership membership(const kernel::Proc& proc, const ProcessTree& tree, pid_t pid) {
  const auto task = proc.task(pid);
  EXPECT_TRUE(task);
  return tree.of(*task);
}

TEST(SupervisorTree, AChildOfTheRootIsAMember) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const ProcessTree tree(*proc);
  const FilteredChild child;
  EXPECT_EQ(membership(*proc, tree, child.pid()), Membership::proved);
}

TEST(SupervisorTree, AFilterProvesNothingWhereTheRootHadAChildBefore) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const FilteredChild before;
  ProcessTree tree(*proc);
  const FilteredChild child;
  EXPECT_EQ(membership(*proc, tree, before.pid()), Membership::possible);
  EXPECT_EQ(membership(*proc, tree, child.pid()), Membership::possible);
  tree.remember_first(child.pid());
  EXPECT_EQ(membership(*proc, tree, child.pid()), Membership::proved);
  EXPECT_EQ(membership(*proc, tree, before.pid()), Membership::possible);
}

TEST(SupervisorTree, WhoWaitsInACallIsRememberedWhileItStillWaits) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const FilteredChild before;
  ProcessTree tree(*proc);
  const auto task = proc->task(before.pid());
  ASSERT_TRUE(task);
  tree.remember(*task, [] { return false; });
  EXPECT_EQ(tree.of(*task), Membership::possible);
  tree.remember(*task, [] { return true; });
  EXPECT_EQ(tree.of(*task), Membership::proved);
}

TEST(SupervisorTree, WhoHasEndedIsNotRemembered) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const FilteredChild before;
  ProcessTree tree(*proc);
  auto child = std::make_unique<FilteredChild>();
  tree.remember_first(child->pid());
  const auto task = proc->task(child->pid());
  ASSERT_TRUE(task);
  EXPECT_EQ(tree.of(*task), Membership::proved);
  child.reset();
  EXPECT_EQ(tree.of(*task), Membership::possible);
}

TEST(SupervisorTree, DoesNotTakeAChildWithoutAFilterForAMember) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const ProcessTree tree(*proc);
  const Child child;
  const auto task = proc->task(child.pid());
  ASSERT_TRUE(task);
  EXPECT_FALSE(tree.contains(*task));
}

TEST(SupervisorTree, DoesNotContainTheRootOrItsParent) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const ProcessTree tree(*proc);
  for (const pid_t pid : {::getpid(), ::getppid()}) {
    const auto task = proc->task(pid);
    ASSERT_TRUE(task);
    EXPECT_FALSE(tree.contains(*task)) << pid;
  }
}

TEST(SupervisorTree, ADirectoryNeverComesToMeanAnotherTask) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  auto child = std::make_unique<Child>();
  const auto task = proc->task(child->pid());
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->status());
  child.reset();
  EXPECT_FALSE(task->status());
  EXPECT_FALSE(task->namespaces());
}

class SupervisorSandbox : public testing::Test {
 protected:
  void SetUp() override {
    auto proc = kernel::Proc::open();
    ASSERT_TRUE(proc);
    proc_.emplace(std::move(*proc));
    tree_.emplace(*proc_);
    const auto self = proc_->task(::getpid());
    ASSERT_TRUE(self);
    const auto own = self->namespaces();
    ASSERT_TRUE(own);
    own_ = *own;
  }
  std::optional<kernel::Proc> proc_;
  std::optional<ProcessTree> tree_;
  kernel::TaskNamespaces own_;
};

TEST_F(SupervisorSandbox, HoldsNobodyWhenNothingIsTracked) {
  const Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::off);
  EXPECT_EQ(sandbox.held(own_).types, 0u);
}

TEST_F(SupervisorSandbox, WhatExistedBeforeIsOutside) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  EXPECT_EQ(sandbox.held(own_).types, 0u);
  EXPECT_EQ(sandbox.ownership({kernel::kNetNamespace, own_.link[kernel::kNetNamespace]}),
            Ownership::outside);
}

TEST_F(SupervisorSandbox, WhatIsNotRecordedHoldsAndIsNoTarget) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  auto elsewhere = own_;
  elsewhere.link[kernel::kNetNamespace] = 4711;
  const auto held = sandbox.held(elsewhere);
  EXPECT_EQ(held.types, HF_NS_NET);
  EXPECT_FALSE(held.anchored);
  EXPECT_EQ(sandbox.ownership({kernel::kNetNamespace, 4711}), Ownership::unproven);
}

TEST_F(SupervisorSandbox, APidNamespaceAnchorsButNotTheOneForChildren) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  auto elsewhere = own_;
  elsewhere.link[kernel::kPidForChildren] = kernel::kNamespaceWithoutInit;
  EXPECT_EQ(sandbox.held(elsewhere).types, HF_NS_PID);
  EXPECT_FALSE(sandbox.held(elsewhere).anchored);
  elsewhere.link[kernel::kPidNamespace] = 4711;
  EXPECT_TRUE(sandbox.held(elsewhere).anchored);
}

TEST_F(SupervisorSandbox, ANamespaceThatMayBeAnybodysIsNeverProvedBySittingInIt) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  sandbox.record_ambiguous_entry(4711, Fd());
  EXPECT_EQ(sandbox.ownership({kernel::kNetNamespace, 4711}), Ownership::unproven);
  sandbox.prove(own_.link[kernel::kNetNamespace], Fd());
  EXPECT_EQ(sandbox.ownership({kernel::kNetNamespace, own_.link[kernel::kNetNamespace]}),
            Ownership::outside);
}

}  // namespace
