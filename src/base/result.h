// SPDX-License-Identifier: Apache-2.0
// A value or an Error. Our own class, because clang 14 (tidy, fuzzing) has no <expected> with the
// libstdc++ of Debian 12.
#ifndef HOLDFAST_BASE_RESULT_H
#define HOLDFAST_BASE_RESULT_H

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
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

// The same result. An error in it is wrapped.
template <typename T>
[[nodiscard]] Result<T> wrap(Result<T> result, std::string_view operation) {
  if (result) return result;
  return wrap(std::move(result).error(), operation);
}

}  // namespace holdfast

// HF_TRY(expression); and HF_TRY_ASSIGN(left, expression); evaluate a Result once. If it holds an
// error, they move the error out and return it from the enclosing function. That function returns a
// Result of any type, or another type that an Error converts to.
//
//   HF_TRY(kernel::make_undumpable());
//   HF_TRY_ASSIGN(const auto names, kernel::directory_entries(directory));
//   HF_TRY_ASSIGN(session->ring_, kernel::BpfRing::create(ring_fd, sink));
//   HF_TRY(wrap(session.dispatch(), "decide"));
//
// `expression` may contain commas; `left` may not. Write the test by hand where the function
// handles an error, or where the text for wrap() is expensive.

// `expression` is a Result<void>. A Result with a value does not compile, because the value may own
// something that must stay, such as a lock. HF_TRY_ASSIGN(std::ignore, ...) discards a value.
#define HF_TRY(...) HF_TRY_BY(HF_TRY_JOIN(hf_tried_, __COUNTER__), __VA_ARGS__)

// `expression` is a Result with a value. `left` is a declaration, or an object to assign to. The
// value is moved into it. The macro expands to several statements, so it has to be inside braces.
#define HF_TRY_ASSIGN(left, ...) \
  HF_TRY_ASSIGN_BY(HF_TRY_JOIN(hf_tried_, __COUNTER__), left, __VA_ARGS__)

// Each use has its own variable, because `expression` may contain a lambda that uses the macros.
#define HF_TRY_BY(tried, ...)                                                \
  do {                                                                       \
    auto tried = __VA_ARGS__;                                                \
    static_assert(std::is_same_v<decltype(tried), ::holdfast::Result<void>>, \
                  "HF_TRY would drop a value: use HF_TRY_ASSIGN");           \
    if (!tried) return std::move(tried).error();                             \
  } while (false)

#define HF_TRY_ASSIGN_BY(tried, left, ...)     \
  auto tried = __VA_ARGS__;                    \
  if (!tried) return std::move(tried).error(); \
  left = *std::move(tried)
#define HF_TRY_JOIN(a, b) HF_TRY_JOIN_EXPANDED(a, b)
#define HF_TRY_JOIN_EXPANDED(a, b) a##b

#endif  // HOLDFAST_BASE_RESULT_H
