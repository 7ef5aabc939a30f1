// SPDX-License-Identifier: Apache-2.0
// What a policy says about sockets and labels, as entries of the machine-wide programs' maps
// (core/machine_sockets.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H
#define HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H

#include <vector>

#include "backend/machine.h"
#include "base/result.h"
#include "core/machine_labels.h"
#include "core/machine_sockets.h"

namespace holdfast::backend::lsm {

struct SocketPolicy {
  template <typename Key, typename Value>
  struct Entry {
    Key key;
    Value value;
  };
  std::vector<Entry<hf_label_id_key, __u32>> ids;
  std::vector<Entry<hf_policy_key, hf_socket_profile>> profiles;
  std::vector<Entry<hf_policy_key, hf_socket_rate>> rates;
  // Of all profiles together.
  __u32 operations = 0;  // HF_SOCK_*
  bool peers = false;
  bool ruled_labels = false;
  bool inherits = false;
};

// Borrowed descriptors.
struct SocketMaps {
  int ids = -1;
  int profiles = -1;
  int rates = -1;
  int buckets = -1;
  int uses = -1;
};

// E2BIG: more names and values than there is room for.
[[nodiscard]] Result<SocketPolicy> socket_policy(const MachineSpec& spec, std::uint64_t generation,
                                                 const hf_sip_key& key);
// On error some may be there.
[[nodiscard]] Result<void> insert(const SocketMaps& maps, const SocketPolicy& policy);
// Buckets of rules that this policy does not have.
void drop_other_buckets(const SocketMaps& maps, const SocketPolicy& policy);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H
