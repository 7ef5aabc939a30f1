// SPDX-License-Identifier: Apache-2.0
// Each candidate is compiled and decided with decide.h, so the result is right by construction.
// There are at most a few dozen candidates, and each costs one compilation.
#include "explain/why.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "core/decide.h"
#include "events/event_text.h"
#include "explain/changes.h"
#include "policy/check.h"
#include "policy/compile.h"
#include "policy/enum_names.h"

namespace holdfast::policy {
namespace {

// The profiles that take part in the request: first the one whose rule decided, then the actor's.
std::vector<std::uint16_t> profiles_in(const hf_request& r, const hf_verdict& verdict) {
  std::vector<std::uint16_t> profiles;
  auto add = [&](std::uint16_t profile) {
    if (profile == HF_NO_PROFILE) return;
    if (std::find(profiles.begin(), profiles.end(), profile) == profiles.end())
      profiles.push_back(profile);
  };
  add(verdict.profile);
  add(r.subject);
  add(r.held_owner);
  add(r.target_owner);
  add(r.object);
  for (const std::uint16_t profile : r.src_chain) add(profile);
  for (const std::uint16_t profile : r.dst_chain) add(profile);
  return profiles;
}

// A candidate usually keeps the names, so labels and profiles keep their numbers. Removing a socket
// rule can remove a name; the request would then have another meaning.
bool same_names(const Compiled& a, const Compiled& b) {
  return a.profiles == b.profiles && a.label_names == b.label_names &&
         a.label_values == b.label_values;
}

std::optional<hf_verdict> try_change(const Model& model, const Compiled& policy,
                                     const hf_request& request, const Candidate& candidate) {
  Model changed = model;
  candidate.apply(changed.profiles[candidate.profile]);
  std::vector<Diagnostic> mistakes;
  check_model(changed, mistakes);
  if (!mistakes.empty()) return std::nullopt;
  const auto compiled = compile(changed);
  if (!same_names(policy, *compiled)) return std::nullopt;
  hf_verdict verdict;
  hf_decide(compiled->tables.get(), &request, &verdict);
  return verdict;
}

// A recorded request can name a profile that this policy does not have.
std::string name_of_profile(const Compiled& policy, std::uint16_t number) {
  return number < policy.profiles.size() ? policy.profiles[number] : std::string();
}

// Candidates for the key that decided come first. A change of the mode comes last, because it
// affects all other rules too.
std::vector<Candidate> candidates(const Model& model, const Compiled& policy,
                                  const hf_request& request, const hf_verdict& verdict) {
  std::vector<Candidate> all;
  const std::string mover = name_of_profile(policy, request.subject);
  const Direction direction = goes_through(verdict) ? Direction::tighten : Direction::loosen;
  for (const std::uint16_t number : profiles_in(request, verdict)) {
    if (number == 0 || number > model.profiles.size()) continue;
    for (Candidate& candidate :
         changes_of(model.profiles[number - 1u], number - 1u, request, mover, direction))
      all.push_back(std::move(candidate));
  }
  const Rule& blamed = policy.rules[verdict.rule < policy.rules.size() ? verdict.rule : 0];
  const auto rank = [&](const Candidate& candidate) {
    if (candidate.key == "mode") return 2;
    const bool same =
        candidate.key == blamed.key && model.profiles[candidate.profile].name == blamed.profile;
    return same ? 0 : 1;
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
  return all;
}

std::string verdict_line(const hf_verdict& v, const Compiled& policy) {
  std::string text =
      fmt::format("{}: {}\n", name_of(kVerdictNames, v.action), describe_reason(v.reason));
  if (v.action == HF_DENY && v.mode == HF_MODE_AUDIT)
    text =
        fmt::format("deny, but only audited, so it is performed: {}\n", describe_reason(v.reason));
  if (v.action == HF_DENY && v.mode == HF_MODE_ENFORCE)
    text = fmt::format("deny ({}): {}\n", errno_name(v.error), describe_reason(v.reason));
  if (v.rule == HF_RULE_DEFAULT || v.rule >= policy.rules.size())
    return text + "  rule    none: no line of the policy is about it\n";
  const Rule& rule = policy.rules[v.rule];
  return text + fmt::format("  rule    {}  {} = {}  (profile {})\n", escape(rule.where.place()),
                            rule.key, escape(rule.text), rule.profile);
}

std::string change_line(const std::optional<Change>& change, const hf_verdict& now) {
  if (!change) return "  change  no single statement of this policy would change that\n";
  const std::string_view then = goes_through(now) ? "would refuse it" : "would let it through";
  const std::string place = change->where.file.empty() ? "" : escape(change->where.place()) + "  ";
  const std::string what = change->value.empty()
                               ? fmt::format("remove {}", change->key)
                               : fmt::format("{} = {}", change->key, escape(change->value));
  std::string text =
      fmt::format("  change  {}{} in profile {} {}", place, what, change->profile, then);
  if (change->verdict.action == HF_LOCK) text += ", and lock the task in";
  if (change->verdict.action == HF_DENY && change->verdict.mode == HF_MODE_AUDIT)
    text += " and report it";
  if (change->key == "mode") text += "; it changes every rule of that profile";
  return text + "\n";
}

}  // namespace

bool goes_through(const hf_verdict& verdict) {
  if (verdict.mode == HF_MODE_AUDIT) return true;
  return verdict.action == HF_ALLOW || verdict.action == HF_LOCK || verdict.action == HF_LIMIT;
}

std::optional<Change> find_flip(const Model& model, const Compiled& policy,
                                const hf_request& request) {
  hf_verdict now;
  hf_decide(policy.tables.get(), &request, &now);
  for (const Candidate& candidate : candidates(model, policy, request, now)) {
    const auto verdict = try_change(model, policy, request, candidate);
    if (!verdict || goes_through(*verdict) == goes_through(now)) continue;
    return Change{model.profiles[candidate.profile].name, candidate.key, candidate.value,
                  candidate.where, *verdict};
  }
  return std::nullopt;
}

std::string explain(const Model& model, const Compiled& policy, const hf_request& request) {
  hf_verdict verdict;
  hf_decide(policy.tables.get(), &request, &verdict);
  const std::string subject = name_of_profile(policy, request.subject);
  std::string text = fmt::format("{} by a task of {}\n", describe_operation(request),
                                 subject.empty() ? "no profile" : "profile " + subject);
  text += verdict_line(verdict, policy);
  return text + change_line(find_flip(model, policy, request), verdict);
}

std::string explain_json(const Model& model, const Compiled& policy, const hf_request& request) {
  using Json = nlohmann::ordered_json;
  hf_verdict verdict;
  hf_decide(policy.tables.get(), &request, &verdict);
  Json json = {{"operation", describe_operation(request)},
               {"profile", name_of_profile(policy, request.subject)},
               {"verdict", name_of(kVerdictNames, verdict.action)},
               {"enforced", verdict.mode == HF_MODE_ENFORCE},
               {"reason", name_of(kReasonNames, verdict.reason)},
               {"text", describe_reason(verdict.reason)},
               {"errno", verdict.error == 0 ? "" : errno_name(verdict.error)},
               {"rule", nullptr},
               {"change", nullptr}};
  const auto place = [](Json& to, const Span& where) {
    to["file"] = where.file;
    to["line"] = where.line;
    to["column"] = where.column;
  };
  if (verdict.rule != HF_RULE_DEFAULT && verdict.rule < policy.rules.size()) {
    const Rule& rule = policy.rules[verdict.rule];
    json["rule"] = {{"profile", rule.profile}, {"key", rule.key}, {"text", rule.text}};
    place(json["rule"], rule.where);
  }
  if (const auto change = find_flip(model, policy, request)) {
    json["change"] = {{"profile", change->profile}, {"key", change->key}, {"value", change->value}};
    if (!change->where.file.empty()) place(json["change"], change->where);
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace holdfast::policy
