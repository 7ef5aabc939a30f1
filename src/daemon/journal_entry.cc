// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal_entry.h"

#include <utility>

#include "events/event_text.h"
#include "events/guard_event.h"
#include "policy/enum_names.h"

namespace holdfast::daemon {
namespace {

// journalctl MESSAGE_ID=… finds all decisions, or all attacks on the enforcement itself.
constexpr char kDecision[] = "6f0f1dd3a5b44cf5a6a3f7c7f0a4b1d2";
constexpr char kAttempt[] = "d3c6b1c8e7a44d0fb6f4a1b95b1f2e60";

// Priorities of syslog(3).
constexpr char kWarning[] = "4";
constexpr char kNotice[] = "5";
constexpr char kInformation[] = "6";

const char* priority_of(const hf_verdict& verdict) {
  if (verdict.action == HF_ALLOW) return kInformation;
  return verdict.action == HF_DENY && verdict.mode == HF_MODE_ENFORCE ? kWarning : kNotice;
}

std::string word(policy::Names names, std::uint32_t value) {
  const std::string_view text = policy::name_of(names, value);
  return text.empty() ? std::to_string(value) : std::string(text);
}

}  // namespace

std::vector<kernel::JournalField> journal_fields(const hf_event& event,
                                                 const policy::Compiled& policy,
                                                 const policy::EventPaths& paths,
                                                 std::string message) {
  const hf_verdict& v = event.verdict;
  std::vector<kernel::JournalField> fields = {
      {"MESSAGE", std::move(message)},
      {"MESSAGE_ID", kDecision},
      {"PRIORITY", priority_of(v)},
      {"SYSLOG_IDENTIFIER", "holdfastd"},
      {"HOLDFAST_EVENT", std::to_string(event.id)},
      {"HOLDFAST_GENERATION", std::to_string(event.generation)},
      {"HOLDFAST_HOOK", word(policy::kOpNames, event.request.op)},
      {"HOLDFAST_WAY", word(policy::kViaNames, event.request.via)},
      {"HOLDFAST_VERDICT", word(policy::kVerdictNames, v.action)},
      {"HOLDFAST_ENFORCED", v.mode == HF_MODE_ENFORCE ? "1" : "0"},
      {"HOLDFAST_REASON", word(policy::kReasonNames, v.reason)},
      {"HOLDFAST_REPEATS", std::to_string(event.repeats & ~HF_REPEATS_DIFFER)},
      {"HOLDFAST_PID", std::to_string(event.actor.tgid)},
      {"HOLDFAST_TID", std::to_string(event.actor.pid)},
      {"HOLDFAST_UID", std::to_string(event.actor.uid)},
      {"HOLDFAST_COMM", std::string(policy::comm_of(event.actor))},
  };
  if (event.repeats & HF_REPEATS_DIFFER) fields.push_back({"HOLDFAST_REPEATS_DIFFER", "1"});
  if (v.error != 0) fields.push_back({"ERRNO", std::to_string(v.error)});
  if (v.profile != HF_NO_PROFILE && v.profile < policy.profiles.size())
    fields.push_back({"HOLDFAST_PROFILE", policy.profiles[v.profile]});
  if (v.rule != HF_RULE_DEFAULT && v.rule < policy.rules.size()) {
    const policy::Rule& rule = policy.rules[v.rule];
    fields.push_back({"HOLDFAST_RULE", rule.where.place()});
    fields.push_back({"HOLDFAST_RULE_KEY", rule.key});
    fields.push_back({"HOLDFAST_RULE_TEXT", rule.text});
  }
  if (event.object.pid != 0) {
    fields.push_back({"HOLDFAST_OBJECT_PID", std::to_string(event.object.tgid)});
    fields.push_back({"HOLDFAST_OBJECT_COMM", std::string(policy::comm_of(event.object))});
  }
  if (!paths.source.empty()) fields.push_back({"HOLDFAST_SOURCE", paths.source});
  if (!paths.target.empty()) fields.push_back({"HOLDFAST_TARGET", paths.target});
  return fields;
}

std::vector<kernel::JournalField> journal_fields(const hf_guard_event& refusal) {
  std::vector<kernel::JournalField> fields = {
      {"MESSAGE", policy::guard_event_text(refusal, policy::Colour::off)},
      {"MESSAGE_ID", kAttempt},
      {"PRIORITY", refusal.audited ? kNotice : kWarning},
      {"SYSLOG_IDENTIFIER", "holdfastd"},
      {"HOLDFAST_EVENT", std::to_string(refusal.id)},
      {"HOLDFAST_GUARD", std::string(policy::guard_kind_name(refusal.what))},
      {"HOLDFAST_VERDICT", "deny"},
      {"HOLDFAST_ENFORCED", refusal.audited ? "0" : "1"},
      {"HOLDFAST_PID", std::to_string(refusal.actor.tgid)},
      {"HOLDFAST_TID", std::to_string(refusal.actor.pid)},
      {"HOLDFAST_UID", std::to_string(refusal.actor.uid)},
      {"HOLDFAST_COMM", std::string(policy::comm_of(refusal.actor))}};
  if (const std::string_view helper = policy::helper_name(refusal); !helper.empty())
    fields.push_back({"HOLDFAST_HELPER", std::string(helper)});
  return fields;
}

}  // namespace holdfast::daemon
