// SPDX-License-Identifier: Apache-2.0
#include "reference/opinions.h"

#include <fmt/core.h>

#include "policy/keys.h"

namespace holdfast::reference {
namespace {

// Of opinions, from weak to strong.
constexpr int kAllowedByRule = 1;
constexpr int kLockAudited = 2;
constexpr int kLockEnforced = 3;
constexpr int kDenyAudited = 4;
constexpr int kDenyEnforced = 5;
constexpr int kImpossible = 6;

struct Place {
  std::string key;
  std::uint32_t line = 0;
};

// Where the profile says what `key` names. A list of delegation that is left out is said by its
// section, and so is where programs may be attached, under the key's own name.
Place find_place(const policy::Profile& p, const std::string& key) {
  const policy::Key* known = policy::find_key(key);
  const policy::Span* where = known == nullptr ? nullptr : policy::place_of(*known, p);
  if (where != nullptr) return {key, where->line};
  if (!p.bpf || !key.starts_with("bpf.delegate")) return {};
  return {key == "bpf.delegate.attach_to" ? key : "bpf.delegate", p.bpf->line};
}

}  // namespace

const policy::Profile* Opinions::find(const std::string& name) const {
  for (const policy::Profile& profile : model_.profiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

std::string Opinions::mode_of(const std::string& profile) const {
  const policy::Profile* p = find(profile);
  return p != nullptr && p->mode && p->mode->value == HF_MODE_AUDIT ? "audit" : "enforce";
}

void Opinions::add(int rank, Outcome outcome) { opinions_.emplace_back(rank, std::move(outcome)); }

Outcome Opinions::by_rule(const std::string& profile, const std::string& key) const {
  Outcome outcome;
  outcome.mode = mode_of(profile);
  outcome.profile = profile;
  if (const policy::Profile* p = find(profile); p != nullptr) {
    const Place place = find_place(*p, key);
    outcome.key = place.key;
    outcome.line = place.line;
  }
  return outcome;
}

void Opinions::deny(const std::string& profile, const std::string& key, const std::string& reason,
                    const std::string& mode) {
  Outcome outcome = by_rule(profile, key);
  if (!mode.empty()) outcome.mode = mode;
  outcome.verdict = "deny";
  outcome.reason = reason;
  add(outcome.mode == "enforce" ? kDenyEnforced : kDenyAudited, outcome);
}

void Opinions::deny_without_rule(const std::string& reason, const std::string& mode) {
  Outcome outcome;
  outcome.verdict = "deny";
  outcome.mode = mode;
  outcome.reason = reason;
  outcome.logged = true;
  add(mode == "enforce" ? kDenyEnforced : kDenyAudited, outcome);
}

void Opinions::lock(const std::string& profile, const std::string& key, std::uint64_t set) {
  Outcome outcome = by_rule(profile, key);
  outcome.verdict = "lock";
  outcome.reason = "lock-on-entry";
  outcome.set = set;
  add(outcome.mode == "enforce" ? kLockEnforced : kLockAudited, outcome);
}

void Opinions::allow_by(const std::string& profile, const std::string& key) {
  Outcome outcome = by_rule(profile, key);
  if (outcome.key.empty()) return;
  outcome.reason = "rule";
  add(kAllowedByRule, outcome);
}

void Opinions::impossible_too(const std::string& reason) { add(kImpossible, impossible(reason)); }

Outcome Opinions::strongest(const std::string& subject) const {
  const std::pair<int, Outcome>* best = nullptr;
  for (const auto& opinion : opinions_) {
    if (best == nullptr || opinion.first > best->first) best = &opinion;
  }
  return best == nullptr ? nothing("default", subject) : logged(best->second, subject);
}

Outcome Opinions::impossible(const std::string& reason) const {
  Outcome outcome;
  outcome.verdict = "deny";
  outcome.reason = reason;
  outcome.logged = true;
  return outcome;
}

Outcome Opinions::nothing(const std::string& reason, const std::string& subject) const {
  Outcome outcome;
  outcome.reason = reason;
  return logged(outcome, subject);
}

Outcome Opinions::by_socket_rule(const policy::Profile& profile, std::size_t index) const {
  const policy::SocketRule& rule = profile.sockets[index];
  Outcome outcome = by_rule(profile.name, "");
  outcome.key = fmt::format("socket[{}]", index + 1);
  outcome.line = rule.where.line;
  outcome.verdict = rule.verdict == HF_SOCK_DENY   ? "deny"
                    : rule.verdict == HF_SOCK_RATE ? "limit"
                                                   : "allow";
  outcome.reason = rule.verdict == HF_SOCK_DENY   ? "socket-deny"
                   : rule.verdict == HF_SOCK_RATE ? "socket-rate"
                                                  : "rule";
  return logged(outcome, profile.name);
}

Outcome Opinions::by_label_rule(const policy::Profile& profile, bool listed) const {
  Outcome outcome = by_rule(profile.name, "");
  outcome.key = "label.set";
  outcome.line = profile.label_set->where.line;
  outcome.verdict = listed ? "allow" : "deny";
  outcome.reason = listed ? "rule" : "label-set";
  return logged(outcome, profile.name);
}

// By the profile whose rule it was, or else the subject's.
Outcome Opinions::logged(Outcome outcome, const std::string& subject) const {
  if (outcome.logged) return outcome;
  const policy::Profile* p = find(outcome.profile.empty() ? subject : outcome.profile);
  const std::uint8_t log = p != nullptr && p->log ? p->log->value : HF_LOG_DENIALS;
  const bool refused = outcome.verdict == "deny" || outcome.verdict == "lock";
  outcome.logged = log == HF_LOG_ALL || (log == HF_LOG_DENIALS && refused);
  return outcome;
}

}  // namespace holdfast::reference
