// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/socket_facts.h"

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
