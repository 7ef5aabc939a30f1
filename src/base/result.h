// SPDX-License-Identifier: Apache-2.0
// A value or an Error. Our own class, because clang 14 (tidy, fuzzing) has no <expected> with the
// libstdc++ of Debian 12.
#ifndef HOLDFAST_BASE_RESULT_H
#define HOLDFAST_BASE_RESULT_H

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace holdfast {

// The operation that failed, its object, and the reason. Each layer adds its context once, with
// wrap().
struct Error {
  int code = 0;           // errno, positive; 0: no system call failed
  std::string operation;  // "open", "load BPF program"
  std::string object;     // a path, a program's name; may be empty
  std::string detail;     // advice for the user, or the verifier's last line; may be empty

  // One line: "open /x: No such file or directory (detail)".
  [[nodiscard]] std::string message() const;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  // Precondition: holds a value.
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  // Precondition: holds an error.
  [[nodiscard]] const Error& error() const& { return *std::get_if<1>(&state_); }
  [[nodiscard]] Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_; }
  [[nodiscard]] const Error& error() const& { return *error_; }
  [[nodiscard]] Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

// The same error with `operation` in front: "start session: open /x: …".
[[nodiscard]] Error wrap(Error error, std::string_view operation);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_RESULT_H
