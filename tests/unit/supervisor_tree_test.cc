// SPDX-License-Identifier: Apache-2.0
//
// Who is in the tree, and which namespaces are the sandbox's, for real processes of this test.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/supervisor/sandbox.h"
#include "backend/supervisor/tree.h"

namespace {

using namespace holdfast;
using backend::supervisor::Belonging;
using backend::supervisor::Sandbox;
using backend::supervisor::Tree;

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

TEST(SupervisorTree, DoesNotTakeAChildWithoutAFilterForAMember) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const Tree tree(*proc);
  const Child child;
  const auto task = proc->task(child.pid());
  ASSERT_TRUE(task);
  EXPECT_FALSE(tree.contains(*task));
}

TEST(SupervisorTree, DoesNotContainTheRootOrItsParent) {
  const auto proc = kernel::Proc::open();
  ASSERT_TRUE(proc);
  const Tree tree(*proc);
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
  std::optional<Tree> tree_;
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
  EXPECT_EQ(sandbox.belonging({kernel::kNetNamespace, own_.link[kernel::kNetNamespace]}),
            Belonging::outside);
}

TEST_F(SupervisorSandbox, WhatIsNotRecordedHoldsAndIsNoTarget) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  auto elsewhere = own_;
  elsewhere.link[kernel::kNetNamespace] = 4711;
  const auto held = sandbox.held(elsewhere);
  EXPECT_EQ(held.types, HF_NS_NET);
  EXPECT_FALSE(held.anchored);
  EXPECT_EQ(sandbox.belonging({kernel::kNetNamespace, 4711}), Belonging::unproven);
}

TEST_F(SupervisorSandbox, APidNamespaceAnchorsButNotTheOneForChildren) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  auto elsewhere = own_;
  elsewhere.link[kernel::kPidForChildren] = kernel::kUnbornNamespace;
  EXPECT_EQ(sandbox.held(elsewhere).types, HF_NS_PID);
  EXPECT_FALSE(sandbox.held(elsewhere).anchored);
  elsewhere.link[kernel::kPidNamespace] = 4711;
  EXPECT_TRUE(sandbox.held(elsewhere).anchored);
}

TEST_F(SupervisorSandbox, ANamespaceThatMayBeAnybodysIsNeverProvedBySittingInIt) {
  Sandbox sandbox(*proc_, *tree_, Sandbox::Tracking::on);
  ASSERT_TRUE(sandbox.survey_outside());
  sandbox.enter_unproven(4711, Fd());
  EXPECT_EQ(sandbox.belonging({kernel::kNetNamespace, 4711}), Belonging::unproven);
  sandbox.prove(own_.link[kernel::kNetNamespace], Fd());
  EXPECT_EQ(sandbox.belonging({kernel::kNetNamespace, own_.link[kernel::kNetNamespace]}),
            Belonging::outside);
}

}  // namespace
