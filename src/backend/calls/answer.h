// SPDX-License-Identifier: Apache-2.0
// What a call gets.
#ifndef HOLDFAST_BACKEND_CALLS_ANSWER_H
#define HOLDFAST_BACKEND_CALLS_ANSWER_H

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/backend.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/abi.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

struct Answer {
  // continue_syscall: the kernel makes the call; descriptor: the caller gets `fd`; deferred: a job answers; caller_gone:
  // the caller is gone.
  enum class Kind { continue_syscall, error, value, descriptor, deferred, caller_gone } kind;
  std::int64_t value = 0;  // the errno of an error; the flags of a descriptor
  std::shared_ptr<const Fd> fd = {};

  static Answer continue_syscall() { return {Kind::continue_syscall}; }
  static Answer error(int code) { return {Kind::error, code}; }
  static Answer returns(std::int64_t value) { return {Kind::value, value}; }
  static Answer descriptor(Fd fd, int flags) {
    return {Kind::descriptor, flags, std::make_shared<const Fd>(std::move(fd))};
  }
  static Answer deferred() { return {Kind::deferred}; }
  static Answer caller_gone() { return {Kind::caller_gone}; }
};

// Any thread.
Result<void> give(kernel::Listener& listener, std::uint64_t id, const Answer& answer);

// What is decided, with all that an event tells of it.
struct DecisionRecord {
  hf_request request = {};
  std::uint64_t source = 0;  // as in hf_event
  std::uint64_t target = 0;
  hf_task object = {};
  MovePaths paths = {};
};

// Decides, counts and reports a request of the call at hand, about the socket with this cookie. The
// errno of an enforced refusal, or 0.
using Judge = std::function<int(hf_request request, std::uint64_t cookie)>;

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ANSWER_H
