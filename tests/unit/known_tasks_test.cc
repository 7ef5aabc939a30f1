// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/known_tasks.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "backend/calls/shared_tables.h"
#include "fakes/fake_listener.h"

namespace holdfast {
namespace {

using backend::calls::KnownTask;
using backend::calls::KnownTasks;

// A process that says that it is ready and waits to be killed.
class Child {
 public:
  explicit Child(const std::function<void()>& prepare = [] {}) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      prepare();
      (void)!::write(ends[1], "x", 1);
      for (;;) ::pause();
    }
    char byte;
    (void)!::read(ends[0], &byte, 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Child() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

class KnownTasksTest : public testing::Test {
 protected:
  seccomp_notif call(pid_t pid) {
    listener_.deliver(pid, SYS_unshare);
    return **listener_.receive();
  }
  KnownTask* begin(pid_t pid) { return known_.begin(call(pid), listener_); }

  kernel::Proc proc_ = *kernel::Proc::open();
  fakes::FakeListener listener_;
  KnownTasks known_{proc_};
};

TEST_F(KnownTasksTest, KnowsAProcessFromItsSecondCallOn) {
  const Child child;
  EXPECT_EQ(begin(child.pid()), nullptr);
  KnownTask* const task = begin(child.pid());
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(begin(child.pid()), task);
}

TEST_F(KnownTasksTest, IsOfTheCallAtHandOnly) {
  const Child child, other;
  begin(child.pid());
  const auto first = call(child.pid());
  ASSERT_NE(known_.begin(first, listener_), nullptr);
  EXPECT_NE(known_.of(first), nullptr);
  begin(other.pid());
  EXPECT_EQ(known_.of(first), nullptr);
}

TEST_F(KnownTasksTest, DoesNotKnowAProcessOfTwoThreads) {
  const Child child([] { std::thread([] { ::pause(); }).detach(); });
  for (int i = 0; i < 3; i++) EXPECT_EQ(begin(child.pid()), nullptr);
}

TEST_F(KnownTasksTest, DoesNotKnowACallerThatHasDied) {
  const Child child;
  begin(child.pid());
  const auto late = call(child.pid());
  listener_.end(late.id);
  EXPECT_EQ(known_.begin(late, listener_), nullptr);
}

TEST_F(KnownTasksTest, ForgetsAProcessThatHasEnded) {
  Child child;
  const pid_t pid = child.pid();
  begin(pid);
  ASSERT_NE(begin(pid), nullptr);
  child.end();
  EXPECT_EQ(begin(pid), nullptr);
  EXPECT_EQ(begin(pid), nullptr);
}

TEST_F(KnownTasksTest, AThreadThatMayChangeNamespacesMakesItForgetThoseOfAll) {
  const Child child, other, threaded([] { std::thread([] { ::pause(); }).detach(); });
  const auto keep = [&](const Child& one) {
    begin(one.pid());
    KnownTask* const task = begin(one.pid());
    const auto namespaces = task->directory->namespaces();
    KnownTasks::keep_namespaces(*task, *namespaces);
    EXPECT_TRUE(task->namespaces.has_value());
    return task;
  };
  KnownTask* const first = keep(child);
  KnownTask* const second = keep(other);
  const auto own = call(child.pid());
  ASSERT_EQ(known_.begin(own, listener_), first);
  known_.namespaces_may_change(own);
  EXPECT_FALSE(first->namespaces.has_value());
  EXPECT_TRUE(second->namespaces.has_value());
  const auto of_thread = call(threaded.pid());
  ASSERT_EQ(known_.begin(of_thread, listener_), nullptr);
  known_.namespaces_may_change(of_thread);
  EXPECT_FALSE(second->namespaces.has_value());
}

TEST_F(KnownTasksTest, KeepsNoNamespacesThatChangeWithoutACall) {
  const Child child;
  begin(child.pid());
  KnownTask* const task = begin(child.pid());
  ASSERT_NE(task, nullptr);
  for (const std::size_t link : {kernel::kPidForChildren, kernel::kTimeForChildren}) {
    auto namespaces = *task->directory->namespaces();
    namespaces.link[link]++;
    KnownTasks::keep_namespaces(*task, namespaces);
    EXPECT_FALSE(task->namespaces.has_value()) << link;
  }
}

}  // namespace
}  // namespace holdfast
