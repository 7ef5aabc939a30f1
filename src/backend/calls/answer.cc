// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/answer.h"

#include <cerrno>

namespace holdfast::backend::calls {
namespace {

Result<void> give_descriptor(kernel::Listener& listener, std::uint64_t id, const Answer& answer) {
  auto given =
      listener.answer_with_descriptor(id, answer.fd->get(), static_cast<unsigned>(answer.value));
  if (given || given.error().code == ENOENT) return given;
  return listener.refuse(id, given.error().code);  // EMFILE
}

}  // namespace

Result<bool> deliver(kernel::Listener& listener, std::uint64_t id, const Answer& answer) {
  Result<void> given;
  switch (answer.kind) {
    case Answer::Kind::continue_syscall:
      given = listener.continue_syscall(id);
      break;
    case Answer::Kind::error:
      given = listener.refuse(id, static_cast<int>(answer.value));
      break;
    case Answer::Kind::value:
      given = listener.answer(id, answer.value);
      break;
    case Answer::Kind::descriptor:
      given = give_descriptor(listener, id, answer);
      break;
    case Answer::Kind::deferred:
    case Answer::Kind::caller_gone:
      break;
  }
  if (given) return true;
  if (given.error().code == ENOENT) return false;
  return given.error();
}

Result<void> give(kernel::Listener& listener, std::uint64_t id, const Answer& answer) {
  const auto delivered = deliver(listener, id, answer);
  return delivered ? Result<void>() : delivered.error();
}

}  // namespace holdfast::backend::calls
