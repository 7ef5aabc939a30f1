// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/policy_needs.h"

#include <atomic>

namespace holdfast::backend::lsm {

namespace {

std::atomic_ref<__u32> of(__u32& value) { return std::atomic_ref<__u32>(value); }

// Each global that is on or off, with what it says of a policy.
template <typename Each>
void for_each_switch(Globals& globals, const PolicyNeeds& needs, Each each) {
  each(globals.namespace_rules, needs.namespaces);
  each(globals.helper_rules, needs.helpers);
  each(globals.delegation_rules, needs.delegations);
  each(globals.mark_rules, needs.marks);
  each(globals.bpf_rules, needs.bpf);
  each(globals.label_rules, needs.ruled_labels);
  each(globals.label_inherits, needs.inherits);
}

}  // namespace

void PolicyNeeds::add(const PolicyNeeds& other) {
  families |= other.families;
  namespaces |= other.namespaces;
  helpers |= other.helpers;
  delegations |= other.delegations;
  marks |= other.marks;
  bpf |= other.bpf;
  operations |= other.operations;
  peers |= other.peers;
  ruled_labels |= other.ruled_labels;
  inherits |= other.inherits;
}

PolicyNeeds needs_of(const hf_tables& tables, const SocketPolicy& sockets, bool marks) {
  PolicyNeeds needs;
  needs.families = families_of(tables, sockets, marks);
  needs.namespaces = decides_namespaces(tables);
  needs.helpers = keeps_tasks(tables);
  needs.delegations = delegates(tables);
  needs.marks = marks;
  needs.bpf = rules_bpf(tables);
  needs.operations = sockets.operations;
  needs.peers = sockets.peers;
  needs.ruled_labels = sockets.ruled_labels;
  needs.inherits = sockets.inherits;
  return needs;
}

void switch_on(Globals& globals, const PolicyNeeds& needs) {
  for_each_switch(globals, needs, [](__u32& value, bool on) {
    if (on) of(value).store(1);
  });
  of(globals.socket_operations).fetch_or(needs.operations);
  if (needs.peers) of(globals.socket_peers).store(1);
}

void switch_off_but(Globals& globals, const PolicyNeeds& needs) {
  for_each_switch(globals, needs, [](__u32& value, bool on) {
    if (!on) of(value).store(0);
  });
  of(globals.socket_operations).store(needs.operations);
}

}  // namespace holdfast::backend::lsm
