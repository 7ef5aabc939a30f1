// SPDX-License-Identifier: Apache-2.0
// libholdfast for C++ (C++17 and later): holdfast.h with owners, strings and exceptions.
#ifndef HOLDFAST_HOLDFAST_HPP
#define HOLDFAST_HOLDFAST_HPP

#include <holdfast/holdfast.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::api {

// What is wrong, and where.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Verdict {
  allow = HOLDFAST_ALLOW,
  deny = HOLDFAST_DENY,
  lock = HOLDFAST_LOCK,
  limit = HOLDFAST_LIMIT
};

namespace detail {

struct Free {
  void operator()(char* text) const { holdfast_free(text); }
  void operator()(holdfast_policy* policy) const { holdfast_policy_free(policy); }
};
using Text = std::unique_ptr<char, Free>;

[[noreturn]] inline void fail(char* mistake) {
  const Text text(mistake);
  throw Error(text ? text.get() : "out of memory");
}

}  // namespace detail

// Texts are valid as long as the policy.
struct Decision {
  Verdict verdict = Verdict::allow;
  bool enforced = true;
  int error = 0;
  std::string_view reason, profile, key, value, file;
  unsigned line = 0;
  unsigned column = 0;

  explicit Decision(const holdfast_decision& from)
      : verdict(static_cast<Verdict>(from.verdict)),
        enforced(from.enforced != 0),
        error(from.error),
        reason(from.reason),
        profile(from.profile),
        key(from.key),
        value(from.value),
        file(from.file),
        line(from.line),
        column(from.column) {}
  // Is the operation performed?
  [[nodiscard]] bool goes_through() const { return verdict != Verdict::deny || !enforced; }
};

class Policy {
 public:
  // Throws Error with all mistakes.
  static Policy load(const std::vector<std::string>& paths) {
    std::vector<const char*> names;
    for (const std::string& path : paths) names.push_back(path.c_str());
    char* mistake = nullptr;
    holdfast_policy* policy = holdfast_policy_load(names.data(), names.size(), &mistake);
    return Policy(policy, mistake);
  }
  static Policy parse(const std::string& name, std::string_view text) {
    char* mistake = nullptr;
    holdfast_policy* policy =
        holdfast_policy_parse(name.c_str(), text.data(), text.size(), &mistake);
    return Policy(policy, mistake);
  }

  [[nodiscard]] std::vector<std::string> profiles() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < holdfast_policy_profile_count(policy_.get()); i++)
      names.emplace_back(holdfast_policy_profile(policy_.get(), i));
    return names;
  }
  [[nodiscard]] std::optional<std::string> profile_of_cgroup(const std::string& path) const {
    const char* name = holdfast_policy_profile_of_cgroup(policy_.get(), path.c_str());
    return name == nullptr ? std::nullopt : std::optional<std::string>(name);
  }

  // These throw Error if the request or the event is wrong.
  [[nodiscard]] Decision decide(const std::string& request) const {
    holdfast_decision decision = HOLDFAST_DECISION_INIT;
    char* mistake = nullptr;
    if (holdfast_decide(policy_.get(), request.c_str(), &decision, &mistake) != 0)
      detail::fail(mistake);
    return Decision(decision);
  }
  [[nodiscard]] Decision decide_event(const std::string& json) const {
    holdfast_decision decision = HOLDFAST_DECISION_INIT;
    char* mistake = nullptr;
    if (holdfast_decide_event(policy_.get(), json.c_str(), &decision, &mistake) != 0)
      detail::fail(mistake);
    return Decision(decision);
  }
  [[nodiscard]] std::string explain(const std::string& request) const {
    char* mistake = nullptr;
    const detail::Text text(holdfast_explain(policy_.get(), request.c_str(), &mistake));
    if (!text) detail::fail(mistake);
    return text.get();
  }

 private:
  Policy(holdfast_policy* policy, char* mistake) : policy_(policy) {
    if (policy == nullptr) detail::fail(mistake);
  }
  std::unique_ptr<holdfast_policy, detail::Free> policy_;
};

// Calls `each` with a const holdfast_event& for each event, until it returns false. Throws Error, and what
// `each` throws.
template <typename Each>
void read_events(const std::string& path, Each each) {
  struct Context {
    Each& each;
    std::exception_ptr thrown;
  } context{each, nullptr};
  char* mistake = nullptr;
  const int status = holdfast_events_read(
      path.c_str(),
      [](const holdfast_event* event, void* given) -> int {
        auto& to = *static_cast<Context*>(given);
        try {
          return to.each(*event) ? 0 : 1;
        } catch (...) {
          to.thrown = std::current_exception();
          return 1;
        }
      },
      &context, &mistake);
  if (context.thrown) std::rethrow_exception(context.thrown);
  if (status < 0) detail::fail(mistake);
  holdfast_free(mistake);
}

}  // namespace holdfast::api

#endif  // HOLDFAST_HOLDFAST_HPP
