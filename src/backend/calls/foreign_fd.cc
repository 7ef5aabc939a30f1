// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/foreign_fd.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::calls {
namespace {

constexpr unsigned kMaxThreads = 64;

// Descriptors whose close may wait. While a thread waits, another one closes the next. Lives until
// the process ends: an exiting process does not wait for SO_LINGER.
class Closer {
 public:
  static Closer& instance() {
    static Closer* const closer = new Closer;
    return *closer;
  }

  void close(Fd fd) {
    const std::lock_guard lock(mutex_);
    if (idle_ <= waiting_.size() && threads_ < kMaxThreads) start();
    if (threads_ == 0) return;  // closes here: there can be no thread
    waiting_.push_back(std::move(fd));
    arrived_.notify_one();
  }

 private:
  void start() {
    try {
      std::thread([this] { run(); }).detach();
      threads_++;
    } catch (const std::system_error&) {
    }
  }

  [[noreturn]] void run() {
    for (;;) {
      Fd next;
      std::unique_lock lock(mutex_);
      idle_++;
      arrived_.wait(lock, [this] { return !waiting_.empty(); });
      idle_--;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next.reset();
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Fd> waiting_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
};

}  // namespace

void close_foreign(Fd fd) {
  if (fd && kernel::close_may_wait(fd.get())) Closer::instance().close(std::move(fd));
}

}  // namespace holdfast::backend::calls
