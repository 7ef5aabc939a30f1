// SPDX-License-Identifier: Apache-2.0
#include "explain/policy_test.h"

#include <fmt/core.h>

#include <set>
#include <string_view>

#include "core/decide.h"
#include "explain/request.h"
#include "policy/enum_names.h"
#include "policy/keys.h"

namespace holdfast::policy {
namespace {

// "leave" and "cgroups.leave" name the key "cgroups.leave"; "socket" any socket rule.
bool names_key(std::string_view written, std::string_view key) {
  if (written == key || (key.size() > written.size() && key.ends_with(written) &&
                         key[key.size() - written.size() - 1] == '.'))
    return true;
  return written == "socket" && key.starts_with("socket[");
}

const Rule& rule_of(const Compiled& policy, const hf_verdict& verdict) {
  return policy.rules[verdict.rule < policy.rules.size() ? verdict.rule : HF_RULE_DEFAULT];
}

std::string described(const hf_verdict& verdict, const Rule& rule) {
  std::string text = fmt::format("{}: {}", name_of(kVerdictNames, verdict.action),
                                 describe_reason(verdict.reason));
  if (!rule.where.file.empty())
    text += fmt::format(" ({} {} = {})", rule.where.place(), rule.key, rule.text);
  return text;
}

// Rules that can decide a request: those of keys with a rule, and socket rules. Of a key without a
// verdict of its own, such as namespaces.track, no request is decided.
bool can_decide(const Rule& rule) {
  if (rule.where.file.empty() || rule.key == "label.inherit") return false;
  if (rule.key.starts_with("socket[")) return true;
  const Key* key = find_key(rule.key);
  if (key == nullptr || key->about == About::nothing || key->about == About::mode) return false;
  return rule.text != fmt::format("\"{}\"", key->fallback);  // the default: it forbids nothing
}

class Runner {
 public:
  explicit Runner(const Compiled& policy) : policy_(policy) {}

  TestOutcome run(const PolicyTest& test, const Stated<std::string>& request) {
    TestOutcome outcome{request.value_where, test.name, request.value, false, false, "", {}};
    const auto parsed = parse_request(request.value, policy_);
    if (!parsed) {
      outcome.broken = true;
      outcome.mistake = "the request is wrong: " + parsed.error().detail;
      return outcome;
    }
    hf_verdict verdict;
    hf_decide(policy_.tables.get(), &*parsed, &verdict);
    outcome.decided = rule_of(policy_, verdict);
    reached_.insert(verdict.rule);
    const std::string_view got = name_of(kVerdictNames, verdict.action);
    if (got != test.expect->value)
      outcome.mistake = fmt::format("expected {}, got {}", test.expect->value,
                                    described(verdict, outcome.decided));
    else if (test.line && !names_key(test.line->value, outcome.decided.key))
      outcome.mistake = fmt::format("expected {} by {}, got {}", test.expect->value,
                                    test.line->value, described(verdict, outcome.decided));
    outcome.passed = outcome.mistake.empty();
    return outcome;
  }

  void list_unreached(TestReport& report) const {
    for (std::size_t i = 0; i < policy_.rules.size(); i++) {
      if (!can_decide(policy_.rules[i])) continue;
      report.rules++;
      if (!reached_.contains(static_cast<std::uint32_t>(i)))
        report.unreached.push_back(policy_.rules[i]);
    }
  }

 private:
  const Compiled& policy_;
  std::set<std::uint32_t> reached_;
};

}  // namespace

TestReport run_policy_tests(const Model& model, const Compiled& policy) {
  TestReport report;
  Runner runner(policy);
  for (const PolicyTest& test : model.tests)
    for (const Stated<std::string>& request : test.requests)
      report.outcomes.push_back(runner.run(test, request));
  runner.list_unreached(report);
  return report;
}

}  // namespace holdfast::policy
