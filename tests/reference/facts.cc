// SPDX-License-Identifier: Apache-2.0
#include "reference/facts.h"

#include <fmt/core.h>

#include <optional>

#include "policy/enum_names.h"

namespace holdfast::reference {
namespace {

// A value that no rule names; no TOML string can be it.
constexpr const char* kOtherValue = "\x01";

std::set<std::string> types_of(std::uint32_t mask) {
  std::set<std::string> types;
  for (std::uint32_t bit = 0; bit < 32; bit++) {
    if ((mask >> bit & 1) == 0) continue;
    const std::string_view name = policy::name_of(policy::kNsTypeNames, 1u << bit);
    types.insert(name.empty() ? fmt::format("0x{:x}", 1u << bit) : std::string(name));
  }
  return types;
}

std::string way_word(std::uint16_t way) {
  switch (way) {
    case HF_VIA_BPF_COMMAND:
      return "command";
    case HF_VIA_BPF_MAP:
      return "map";
    case HF_VIA_BPF_PROGRAM:
      return "program";
    case HF_VIA_BPF_ATTACH:
      return "attach";
    default:
      return "";
  }
}

std::vector<std::pair<std::string, std::string>> labels_of(const __u32* ids,
                                                           const policy::Compiled& policy) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (std::size_t i = 0; i < policy.label_names.size(); i++) {
    if (ids[i] == HF_LABEL_ID_ABSENT) continue;
    const bool known = ids[i] < policy.label_values.size();
    labels.emplace_back(policy.label_names[i], known ? policy.label_values[ids[i]] : kOtherValue);
  }
  return labels;
}

// Names of profiles; `sensible` becomes false at one that does not exist.
class Namer {
 public:
  explicit Namer(const policy::Compiled& policy) : policy_(policy) {}

  bool sensible = true;

  std::string operator()(std::uint16_t number) {
    if (number < policy_.profiles.size()) return policy_.profiles[number];
    sensible = false;
    return "";
  }

  std::vector<std::string> chain(const __u16* numbers) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < HF_MAX_NEST && numbers[i] != HF_NO_PROFILE; i++)
      names.push_back((*this)(numbers[i]));
    return names;
  }

 private:
  const policy::Compiled& policy_;
};

}  // namespace

Facts facts_of(const hf_request& r, const policy::Compiled& policy) {
  Namer name(policy);
  Facts f;
  f.op = policy::name_of(policy::kOpNames, r.op);
  f.readable = (r.flags & HF_REQ_FACTS_MISSING) == 0;
  f.subject = name(r.subject);
  f.object = name(r.object);
  f.started_in = r.subject_set;
  f.held = {name(r.held_owner), r.held_set};
  f.held_types = types_of(r.held_types);
  f.held_anchored = (r.flags & HF_REQ_HELD_ANCHORED) != 0;
  f.held_in_several = (r.flags & HF_REQ_HELD_MIXED) != 0;
  f.target_known = (r.flags & HF_REQ_TARGET_KNOWN) != 0;
  f.target = {name(r.target_owner), r.target_set};
  f.types = types_of(r.ns_types);
  f.same_cgroup = (r.flags & HF_REQ_SAME_CGROUP) != 0;
  f.delegated = (r.flags & HF_REQ_DELEGATED) != 0;
  f.object_held_same = (r.flags & HF_REQ_OBJECT_HELD_SAME) != 0;
  if (f.op == "cgroup_attach" && !f.same_cgroup) {
    f.source = name.chain(r.src_chain);
    f.destination = name.chain(r.dst_chain);
  }
  f.label_listed = (r.flags & HF_REQ_LABEL_LISTED) != 0;
  if (f.op == "socket") f.operation = policy::name_of(policy::kSocketOpNames, r.sock_op);
  if (f.op == "bpf") f.operation = way_word(r.via);
  f.family = r.sock_family == HF_FAMILY_OTHER
                 ? "other"
                 : policy::name_of(policy::kFamilyNames, r.sock_family);
  f.bpf_value = r.bpf_value;
  f.bpf_outside = (r.flags & HF_REQ_BPF_OUTSIDE) != 0;
  f.bpf_foreign = (r.flags & HF_REQ_BPF_FOREIGN) != 0;
  f.over_quota = (r.flags & HF_REQ_OVER_QUOTA) != 0;
  f.over_memory = (r.flags & HF_REQ_OVER_MEMORY) != 0;
  f.labels = labels_of(r.own_labels, policy);
  f.peer_labels = labels_of(r.peer_labels, policy);
  f.sensible = name.sensible;
  return f;
}

Outcome outcome_of(const hf_verdict& v, const policy::Compiled& policy) {
  Outcome outcome;
  outcome.verdict = policy::name_of(policy::kVerdictNames, v.action);
  outcome.mode = policy::name_of(policy::kModeNames, v.mode);
  outcome.reason = policy::name_of(policy::kReasonNames, v.reason);
  outcome.profile = v.profile < policy.profiles.size() ? policy.profiles[v.profile] : "?";
  outcome.set = v.set;
  outcome.logged = v.log != 0;
  if (v.rule != HF_RULE_DEFAULT && v.rule < policy.rules.size()) {
    outcome.key = policy.rules[v.rule].key;
    outcome.line = policy.rules[v.rule].where.line;
  }
  return outcome;
}

}  // namespace holdfast::reference
