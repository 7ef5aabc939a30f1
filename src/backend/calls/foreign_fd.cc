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

// Descriptors whose close may wait. They are closed one after the other. Lives until the process
// ends: an exiting process does not wait for SO_LINGER.
class Closer {
 public:
  static Closer& instance() {
    static Closer* const closer = new Closer;
    return *closer;
  }

  void close(Fd fd) {
    const std::lock_guard lock(mutex_);
    if (!started_) start();
    if (!started_) return;  // closes here: there can be no thread
    waiting_.push_back(std::move(fd));
    arrived_.notify_one();
  }

 private:
  void start() {
    try {
      std::thread([this] { run(); }).detach();
      started_ = true;
    } catch (const std::system_error&) {
    }
  }

  [[noreturn]] void run() {
    for (;;) {
      Fd next;
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return !waiting_.empty(); });
      next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next.reset();
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Fd> waiting_;
  bool started_ = false;
};

}  // namespace

void close_foreign(Fd fd) {
  if (fd && kernel::lingers(fd.get())) Closer::instance().close(std::move(fd));
}

}  // namespace holdfast::backend::calls
