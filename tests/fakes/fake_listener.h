// SPDX-License-Identifier: Apache-2.0
// A listener without a tree: tests put calls in and look at how they were answered.
#ifndef HOLDFAST_TESTS_FAKES_FAKE_LISTENER_H
#define HOLDFAST_TESTS_FAKES_FAKE_LISTENER_H

#include <linux/audit.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "base/fd.h"
#include "kernel/process/seccomp.h"

namespace holdfast::fakes {

// What a call got. `count`: how often it was answered, which must be once at most.
struct Reply {
  unsigned count = 0;
  std::int64_t value = 0;
  int error = 0;  // an errno
  bool continued = false;
  bool descriptor = false;
};

// Any thread.
class FakeListener final : public kernel::Listener {
 public:
  FakeListener() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {}

  // A call of this thread. Returns its id.
  std::uint64_t deliver(pid_t thread, int number, const std::array<std::uint64_t, 6>& args = {}) {
    const std::scoped_lock lock(mutex_);
    seccomp_notif call = {};
    call.id = ++last_id_;
    call.pid = static_cast<__u32>(thread);
    call.data.nr = number;
    call.data.arch = AUDIT_ARCH_X86_64;
    for (std::size_t i = 0; i < args.size(); i++) call.data.args[i] = args[i];
    queue_.push_back(call);
    waiting_.insert(call.id);
    const std::uint64_t one = 1;
    (void)!::write(fd_.get(), &one, sizeof(one));
    return call.id;
  }
  // From here on the caller is dead.
  void end(std::uint64_t id) {
    const std::scoped_lock lock(mutex_);
    waiting_.erase(id);
  }
  // receive() fails with this errno, once.
  void fail_next_receive(int error) {
    const std::scoped_lock lock(mutex_);
    receive_error_ = error;
  }
  [[nodiscard]] Reply reply(std::uint64_t id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = replies_.find(id);
    return found == replies_.end() ? Reply{} : found->second;
  }

  [[nodiscard]] int fd() const override { return fd_.get(); }
  Result<const seccomp_notif*> receive() override {
    const std::scoped_lock lock(mutex_);
    if (const int error = std::exchange(receive_error_, 0)) return Error{error, "receive", {}, {}};
    if (queue_.empty()) return Error{ENOENT, "receive", {}, {}};
    std::uint64_t one = 0;
    (void)!::read(fd_.get(), &one, sizeof(one));
    current_ = queue_.front();
    queue_.pop_front();
    return &current_;
  }
  [[nodiscard]] bool waiting(std::uint64_t id) const override {
    const std::scoped_lock lock(mutex_);
    return waiting_.contains(id);
  }
  Result<void> answer_with_descriptor(std::uint64_t id, int, unsigned) override {
    return record(id, {.descriptor = true});
  }

 protected:
  Result<void> respond(std::uint64_t id, std::int64_t value, std::int32_t error,
                       std::uint32_t flags) override {
    return record(id, {.value = value,
                       .error = -error,
                       .continued = (flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) != 0});
  }

 private:
  Result<void> record(std::uint64_t id, Reply reply) {
    const std::scoped_lock lock(mutex_);
    if (!waiting_.contains(id)) return Error{ENOENT, "answer", {}, {}};
    reply.count = replies_[id].count + 1;
    replies_[id] = reply;
    waiting_.erase(id);
    return {};
  }

  mutable std::mutex mutex_;
  Fd fd_;
  std::uint64_t last_id_ = 0;
  int receive_error_ = 0;
  seccomp_notif current_ = {};
  std::deque<seccomp_notif> queue_;
  std::set<std::uint64_t> waiting_;
  std::map<std::uint64_t, Reply> replies_;
};

}  // namespace holdfast::fakes

#endif  // HOLDFAST_TESTS_FAKES_FAKE_LISTENER_H
