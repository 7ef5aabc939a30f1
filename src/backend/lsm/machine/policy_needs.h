// SPDX-License-Identifier: Apache-2.0
// What a policy needs of the machine-wide programs.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_POLICY_NEEDS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_POLICY_NEEDS_H

#include "backend/lsm/machine/families.h"
#include "backend/lsm/machine/machine_globals.h"
#include "backend/lsm/machine/socket_policy.h"
#include "core/abi.h"

namespace holdfast::backend::lsm {

// The families, and the globals that programs look at before anything else.
struct PolicyNeeds {
  Families families = 0;
  bool namespaces = false;
  bool helpers = false;
  bool delegations = false;
  bool marks = false;
  bool bpf = false;
  __u32 operations = 0;  // HF_SOCK_*
  bool peers = false;
  bool ruled_labels = false;
  bool inherits = false;

  void add(const PolicyNeeds& other);
};

// `marks`: the policy has some.
[[nodiscard]] PolicyNeeds needs_of(const hf_tables& tables, const SocketPolicy& sockets,
                                   bool marks);

// Before the policy is live: sets what it needs, and leaves the rest.
void switch_on(Globals& globals, const PolicyNeeds& needs);
// After: clears what nothing needs. socket_peers stays: a task may be on the way to its peer.
void switch_off_but(Globals& globals, const PolicyNeeds& needs);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_POLICY_NEEDS_H
