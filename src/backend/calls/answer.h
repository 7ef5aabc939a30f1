// SPDX-License-Identifier: Apache-2.0
// The answer to a notified system call.
#ifndef HOLDFAST_BACKEND_CALLS_ANSWER_H
#define HOLDFAST_BACKEND_CALLS_ANSWER_H

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/backend.h"
#include "backend/calls/foreign_fd.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/abi.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

struct Answer {
  // continue_syscall: the kernel performs the call.
  // error: the call fails with the errno `value`.
  // value: the call returns `value`.
  // descriptor: the caller gets a duplicate of `fd`, with the flags `value` (O_CLOEXEC or 0).
  // deferred: a job answers later.
  // caller_gone: the caller has died; no answer is needed.
  enum class Kind { continue_syscall, error, value, descriptor, deferred, caller_gone } kind;
  std::int64_t value = 0;
  std::shared_ptr<const Fd> fd = {};

  static Answer continue_syscall() { return {Kind::continue_syscall}; }
  static Answer error(int code) { return {Kind::error, code}; }
  static Answer returns(std::int64_t value) { return {Kind::value, value}; }
  static Answer descriptor(Fd fd, int flags) {
    return {Kind::descriptor, flags, std::make_shared<const ForeignFd>(std::move(fd))};
  }
  static Answer deferred() { return {Kind::deferred}; }
  static Answer caller_gone() { return {Kind::caller_gone}; }
};

// Sends the answer to the kernel. Any thread. A caller that has died is no error. If the caller has
// no free descriptor number, its call fails with EMFILE.
Result<void> give(kernel::Listener& listener, std::uint64_t id, const Answer& answer);
// The same. False: the caller has died.
Result<bool> deliver(kernel::Listener& listener, std::uint64_t id, const Answer& answer);

// A request to decide, and the facts that its event needs.
struct DecisionRecord {
  hf_request request = {};
  std::uint64_t source = 0;  // this and `target` as in hf_event
  std::uint64_t target = 0;
  hf_task object = {};
  MovePaths paths = {};
};

// Decides, counts and reports a request of the current call, about the socket with this cookie.
// Returns the errno of an enforced refusal, or 0.
using Judge = std::function<int(hf_request request, std::uint64_t cookie)>;

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ANSWER_H
