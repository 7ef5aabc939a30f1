// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/socket_facts.h"

#include <algorithm>

#include "core/socket_rule.h"

namespace holdfast::backend::calls {

LabelReader::LabelReader(const LabelNames& label_names, SocketLabels& labels)
    : label_names_(label_names), labels_(labels) {
  for (std::uint32_t id = 1; id < label_names.values.size(); id++)
    value_ids_[label_names.values[id]] = id;
}

Result<LabelIds> LabelReader::read(int socket_fd, label::Cookie cookie) const {
  LabelIds ids = {};
  for (std::size_t i = 0; i < label_names_.names.size() && i < ids.size(); i++) {
    HF_TRY_ASSIGN(const auto value, labels_.get(socket_fd, cookie, label_names_.names[i]));
    if (!value) continue;
    const auto known = value_ids_.find(*value);
    ids[i] = known == value_ids_.end() ? HF_LABEL_ID_OTHER : known->second;
  }
  return ids;
}

PossibleLabels::PossibleLabels(const LabelNames& label_names, SocketAttributes kernel)
    : all_(kernel == SocketAttributes::native), seen_(HF_MAX_LABEL_NAMES) {
  for (unsigned number = 0; number < label_names.names.size(); number++)
    names_[label_names.names[number]] = number;
  for (std::uint32_t id = 1; id < label_names.values.size(); id++)
    values_[label_names.values[id]] = id;
}

void PossibleLabels::note(std::string_view name, std::string_view value) {
  const auto number = names_.find(std::string(name));
  if (number == names_.end()) return;  // no rule is about it
  const auto id = values_.find(std::string(value));
  if (number->second >= seen_.size())
    all_ = true;
  else
    seen_[number->second].insert(id == values_.end() ? HF_LABEL_ID_OTHER : id->second);
}

bool PossibleLabels::may_match(const hf_label_match* want, unsigned count) const {
  if (all_) return true;
  return std::all_of(want, want + count, [&](const hf_label_match& one) {
    if (one.name >= seen_.size()) return true;
    const auto& seen = seen_[one.name];
    if (one.kind == HF_LABEL_VALUE)
      return one.value == HF_LABEL_ID_ABSENT || seen.contains(one.value);
    return one.kind != HF_LABEL_ANY || !seen.empty();
  });
}

bool PossibleLabels::must_match(const hf_label_match* want, unsigned count) const {
  return std::all_of(want, want + count, [&](const hf_label_match& one) {
    return !all_ && one.kind == HF_LABEL_ABSENT && one.name < seen_.size() &&
           seen_[one.name].empty();
  });
}

bool may_be_refused(const hf_tables& tables, const hf_profile& profile, std::uint32_t operations,
                    const PossibleLabels& labels) {
  for (std::uint32_t operation = 1; operation <= operations; operation <<= 1) {
    if (!(operations & operation)) continue;
    std::uint32_t undecided =
        ~0u;  // HF_FAMILY_*: no earlier rule decides about each of its sockets
    for (std::uint32_t i = 0; i < profile.socket_count && undecided; i++) {
      const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
      if (!(rule.ops & operation) || !(rule.families & undecided)) continue;
      if (!labels.may_match(rule.own, rule.own_count) ||
          !labels.may_match(rule.peer, rule.peer_count))
        continue;
      if (rule.verdict != HF_SOCK_ALLOW) return true;
      if (labels.must_match(rule.own, rule.own_count) &&
          labels.must_match(rule.peer, rule.peer_count))
        undecided &= ~std::uint32_t{rule.families};
    }
  }
  return false;
}

bool depends_on_peer(const hf_tables& tables, const hf_profile& profile,
                     const hf_request& request) {
  if (request.flags & HF_REQ_FACTS_MISSING) return false;
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    if (!(rule.ops & request.sock_op) || !(rule.families & request.sock_family)) continue;
    if (!hf_labels_match(rule.own, rule.own_count, request.own_labels)) continue;
    return rule.peer_count > 0;
  }
  return false;
}

std::uint32_t operations_by_peer(const hf_tables& tables, const hf_profile& profile) {
  std::uint32_t operations = 0;
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    if (rule.peer_count > 0 && (rule.families & HF_FAMILY_UNIX)) operations |= rule.ops;
  }
  return operations & ~(HF_SOCK_BIND | HF_SOCK_LISTEN);
}

}  // namespace holdfast::backend::calls
