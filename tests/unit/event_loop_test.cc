// SPDX-License-Identifier: Apache-2.0
// The loop with a simulated clock, and with the kernel's poll(2) and signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "kernel/event_loop.h"
#include "kernel/wakeup.h"

namespace holdfast::kernel {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(Deadline, IsATimeoutThatIsNeverTooShort) {
  EXPECT_EQ(timeout_ms(kNever, 5), -1);
  EXPECT_EQ(timeout_ms(5, 5), 0);
  EXPECT_EQ(timeout_ms(4, 5), 0);
  EXPECT_EQ(timeout_ms(6, 5), 1);
  EXPECT_EQ(timeout_ms(5 + kMs, 5), 1);
  EXPECT_EQ(timeout_ms(6 + kMs, 5), 2);
  EXPECT_EQ(timeout_ms(kNever - 1, 0), std::numeric_limits<int>::max());
}

// Time passes only in poll(). Descriptors are numbers without a file.
class FakeLoopTest : public ::testing::Test {
 protected:
  EventLoop loop_{
      {[this] { return now_ns_; }, [this](const std::vector<Awaited>& awaited,
                                          int timeout) { return poll(awaited, timeout); }}};

  Result<std::vector<short>> poll(const std::vector<Awaited>& awaited, int timeout) {
    timeouts_.push_back(timeout);
    awaited_.clear();
    for (const Awaited& one : awaited)
      if (one.fd >= 0) awaited_.push_back(one.fd);
    std::vector<short> events(awaited.size(), 0);
    bool any = false;
    for (std::size_t i = 0; i < awaited.size(); i++) {
      if (awaited[i].fd < 0) continue;
      const short always = POLLHUP | POLLERR | POLLNVAL;
      events[i] = static_cast<short>(ready_[awaited[i].fd] & (awaited[i].events | always));
      any |= events[i] != 0;
    }
    if (any) return events;
    if (timeout < 0) return Error{EDEADLK, "poll", {}, "nothing would end this wait"};
    now_ns_ += static_cast<std::uint64_t>(timeout) * kMs;
    return events;
  }

  EventLoop::DescriptorHandler note(const std::string& name) {
    return [this, name](short) -> Result<void> {
      called_ += name;
      return {};
    };
  }

  std::uint64_t now_ns_ = 1000;
  std::array<short, 10> ready_ = {};
  std::vector<int> timeouts_;
  std::vector<int> awaited_;
  std::string called_;
};

TEST_F(FakeLoopTest, TimersAreCalledInTheirOrderAndNotBefore) {
  std::array<std::uint64_t, 2> due = {now_ns_ + 30 * kMs, now_ns_ + 10 * kMs + 1};
  std::vector<std::uint64_t> at;
  for (int i = 0; i < 2; i++)
    loop_.add_timer([&, i] { return due[i]; },
                    [&, i] {
                      EXPECT_GE(now_ns_, due[i]);
                      called_ += static_cast<char>('a' + i);
                      due[i] = kNever;
                      if (i == 0) loop_.stop();
                    });
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(called_, "ba");
  // One wait for each timer. No wait ends too early, and none has the timeout 0.
  EXPECT_EQ(timeouts_, (std::vector<int>{11, 19}));
}

TEST_F(FakeLoopTest, ATimeThatHasComeIsNotWaitedFor) {
  loop_.add_timer([&] { return now_ns_ - 1; }, [&] { loop_.stop(); });
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(timeouts_, std::vector<int>{0});
}

TEST_F(FakeLoopTest, WhatALaterOneChangesIsKnownInTheNextWait) {
  std::uint64_t due = kNever;
  loop_.add_timer([&] { return due; },
                  [&] {
                    called_ += 't';
                    loop_.stop();
                  });
  loop_.add_descriptor(3, POLLIN, [&](short) -> Result<void> {
    ready_[3] = 0;
    due = now_ns_;
    return {};
  });
  ready_[3] = POLLIN;
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(called_, "t");
  EXPECT_EQ(timeouts_, (std::vector<int>{-1, 0}));
}

TEST_F(FakeLoopTest, EachDescriptorThatIsReadyIsCalledForInOrder) {
  for (const int fd : {5, 3, 4}) loop_.add_descriptor(fd, POLLIN, note(std::to_string(fd)));
  ready_[3] = ready_[5] = POLLIN;
  ready_[4] = POLLOUT;  // not asked for
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "53");
  ASSERT_TRUE(loop_.turn());  // still ready
  EXPECT_EQ(called_, "5353");
}

TEST_F(FakeLoopTest, AHangUpIsReportedOnceAndDoesNotSpin) {
  std::uint64_t due = now_ns_ + kMs;
  loop_.add_descriptor(3, POLLIN, note("3"));
  loop_.add_descriptor(4, POLLIN, {});
  loop_.add_timer([&] { return due; }, [&] { loop_.stop(); });
  ready_[3] = POLLIN | POLLHUP;  // there is something to read before the end
  ASSERT_TRUE(loop_.turn());
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "33");
  ready_[3] = ready_[4] = POLLHUP;
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "333");
  timeouts_.clear();
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(called_, "333");
  EXPECT_TRUE(awaited_.empty());
  EXPECT_EQ(timeouts_, std::vector<int>{1});
}

TEST_F(FakeLoopTest, ADescriptorCanBeRemovedByItsHandler) {
  loop_.add_descriptor(3, POLLIN, [&](short) -> Result<void> {
    called_ += "3";
    loop_.remove_descriptor(3);
    loop_.remove_descriptor(9);  // never added
    loop_.remove_descriptor(-1);
    return {};
  });
  loop_.add_descriptor(4, POLLIN, note("4"));
  ready_[3] = ready_[4] = POLLIN;
  ASSERT_TRUE(loop_.turn());
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "344");
}

TEST_F(FakeLoopTest, ARemovedDescriptorIsNotReportedInTheSameTurn) {
  loop_.add_descriptor(3, POLLIN, [&](short) -> Result<void> {
    loop_.remove_descriptor(4);
    return {};
  });
  loop_.add_descriptor(4, POLLIN, note("4"));
  ready_[3] = ready_[4] = POLLIN;
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "");
}

TEST_F(FakeLoopTest, ASourceIsAskedBeforeAndCalledAfterEachWait) {
  Interest interest = {{{3, POLLIN}, {4, POLLOUT}}, now_ns_ + 7 * kMs};
  loop_.add_descriptor(5, POLLIN, note("5"));
  loop_.add_source([&] { return interest; },
                   [&]() -> Result<void> {
                     called_ += 's';
                     return {};
                   });
  loop_.add_descriptor(6, POLLIN, note("6"));
  ready_[6] = POLLIN;
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "s6");
  EXPECT_EQ(awaited_, (std::vector<int>{5, 3, 4, 6}));
  interest = {{}, now_ns_ + 2 * kMs};
  ready_[6] = 0;
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(called_, "s6s");
  EXPECT_EQ(timeouts_, (std::vector<int>{7, 2}));
}

TEST_F(FakeLoopTest, NothingIsCalledAfterStop) {
  loop_.add_descriptor(3, POLLIN, [&](short) -> Result<void> {
    loop_.stop();
    return {};
  });
  loop_.add_source({}, [&]() -> Result<void> {
    called_ += 's';
    return {};
  });
  ready_[3] = POLLIN;
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(called_, "");
  ready_[3] = 0;
  ready_[4] = POLLIN;
  loop_.add_descriptor(4, POLLIN, note("4"));
  ASSERT_TRUE(loop_.turn());  // it can go on
  EXPECT_EQ(called_, "s4");
}

TEST_F(FakeLoopTest, AnErrorEndsTheLoop) {
  loop_.add_descriptor(3, POLLIN, [](short) -> Result<void> { return Error{EIO, "read", {}, {}}; });
  loop_.add_descriptor(4, POLLIN, note("4"));
  ready_[3] = ready_[4] = POLLIN;
  const auto ran = loop_.run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, EIO);
  EXPECT_EQ(called_, "");
}

class KernelLoopTest : public ::testing::Test {
 protected:
  // Ends a test that would wait forever.
  void SetUp() override {
    const std::uint64_t end_ns = boottime_ns() + 30000 * kMs;
    loop_.add_timer([end_ns] { return end_ns; },
                    [this] {
                      ADD_FAILURE() << "waited too long";
                      loop_.stop();
                    });
    loop_.add_source({}, [this]() -> Result<void> {
      turns_++;
      return {};
    });
  }

  EventLoop loop_;
  int turns_ = 0;
};

std::array<Fd, 2> make_pipe() {
  std::array<int, 2> ends = {};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

TEST_F(KernelLoopTest, ReadsPipesUntilTheyEnd) {
  std::array<std::array<Fd, 2>, 3> pipes = {make_pipe(), make_pipe(), make_pipe()};
  std::array<std::string, 3> read_from;
  int open = 3;
  for (std::size_t i = 0; i < 3; i++)
    loop_.add_descriptor(pipes[i][0].get(), POLLIN, [&, i](short events) -> Result<void> {
      char byte = 0;
      if ((events & POLLIN) && read(pipes[i][0].get(), &byte, 1) == 1) {
        read_from[i] += byte;
        return {};
      }
      EXPECT_TRUE(events & POLLHUP);
      if (--open == 0) loop_.stop();
      return {};
    });
  for (std::size_t i = 0; i < 3; i++) {
    EXPECT_EQ(write(pipes[i][1].get(), "abc", i + 1), static_cast<ssize_t>(i + 1));
    pipes[i][1].reset();
  }
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(read_from, (std::array<std::string, 3>{"a", "ab", "abc"}));
  EXPECT_LE(turns_, 4);
}

TEST_F(KernelLoopTest, WaitsForItsTimersAndDoesNotSpin) {
  const std::uint64_t begin_ns = boottime_ns();
  std::uint64_t due_ns = begin_ns + 20 * kMs;
  int fired = 0;
  loop_.add_timer([&] { return due_ns; },
                  [&] {
                    EXPECT_GE(boottime_ns(), due_ns);
                    due_ns += 20 * kMs;
                    if (++fired == 3) loop_.stop();
                  });
  ASSERT_TRUE(loop_.run());
  EXPECT_GE(boottime_ns(), begin_ns + 60 * kMs);
  EXPECT_LE(turns_, 3);
}

TEST_F(KernelLoopTest, ReadsTheSignalsThatWait) {
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int number : {SIGUSR1, SIGUSR2, SIGHUP}) sigaddset(&signals, number);
  const auto fd = open_signalfd(signals, &before);
  ASSERT_TRUE(fd);
  std::vector<int> got;
  loop_.add_signals(fd->get(), [&](const Signal& signal) -> Result<void> {
    EXPECT_TRUE(signal.sent);
    got.push_back(signal.number);
    // This signal arrives while the loop handles another one.
    if (signal.number == SIGUSR1) (void)kill(getpid(), SIGHUP);
    if (signal.number == SIGHUP) loop_.stop();
    return {};
  });
  EXPECT_EQ(kill(getpid(), SIGUSR1), 0);
  ASSERT_TRUE(loop_.run());
  EXPECT_EQ(got, (std::vector<int>{SIGUSR1, SIGHUP}));
  EXPECT_EQ(kill(getpid(), SIGUSR2), 0);
  ASSERT_TRUE(loop_.turn());
  EXPECT_EQ(got.back(), SIGUSR2);
  EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST_F(KernelLoopTest, AnotherThreadWakesIt) {
  const auto wakeup = make_wakeup();
  ASSERT_TRUE(wakeup);
  int woken = 0;
  loop_.add_descriptor(wakeup->get(), POLLIN, [&](short) -> Result<void> {
    if (was_woken(wakeup->get())) woken++;
    loop_.stop();
    return {};
  });
  for (int i = 1; i <= 100; i++) {
    std::thread waker([&] { wake(wakeup->get()); });
    const auto ran = loop_.run();
    waker.join();
    ASSERT_TRUE(ran);
    ASSERT_EQ(woken, i);
  }
}

}  // namespace
}  // namespace holdfast::kernel
