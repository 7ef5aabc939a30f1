// SPDX-License-Identifier: Apache-2.0
// What a policy says about sockets and labels, as entries of the machine-wide programs' maps
// (core/machine_sockets.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H
#define HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H

#include <cstdint>
#include <set>
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
  __u32 operations = 0;       // HF_SOCK_*
  bool peers = false;         // of connects and sends
  bool accept_peers = false;  // of accepts
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
// Adds what the rules of one profile are about to what those of all are.
void add_rules(SocketPolicy& policy, const hf_socket_profile& rules);
// On error some may be there.
[[nodiscard]] Result<void> insert(const SocketMaps& maps, const SocketPolicy& policy);
// Of the rates of a policy, as in the keys of their buckets.
[[nodiscard]] std::set<std::uint64_t> rate_digests(const SocketPolicy& policy);
// Buckets of other rates than these.
void drop_other_buckets(const SocketMaps& maps, const std::set<std::uint64_t>& digests);
// All buckets of a cgroup or a session.
void drop_buckets_of(const SocketMaps& maps, std::uint64_t bound);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_SOCKET_POLICY_H
