// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/socket_policy.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <set>
#include <span>
#include <string>

#include "backend/lsm/machine/machine_labels.h"
#include "base/digest.h"
#include "kernel/bpf/map_keys.h"

namespace holdfast::backend::lsm {

namespace {

template <typename Number>
std::uint64_t add(std::uint64_t digest, Number number) {
  return digest_of({reinterpret_cast<const char*>(&number), sizeof(number)}, digest);
}

std::uint64_t add_text(std::uint64_t digest, const std::string& text) {
  return digest_of(text, add(digest, text.size()));
}

// By what the labels are called: their numbers are another policy's business.
std::uint64_t add_matches(std::uint64_t digest, std::span<const hf_label_match> matches,
                          const MachineSpec& spec) {
  digest = add(digest, matches.size());
  for (const hf_label_match& match : matches) {
    digest = add_text(add(digest, match.kind), spec.label_names.at(match.name));
    if (match.kind == HF_LABEL_VALUE) digest = add_text(digest, spec.label_values.at(match.value));
  }
  return digest;
}

std::uint64_t digest_of_rate(const hf_socket_rule& rule, const std::string& profile,
                             const MachineSpec& spec) {
  std::uint64_t digest = add_text(kDigestStart, profile);
  digest = add(add(digest, rule.ops), rule.families);
  digest = add(add(add(digest, rule.rate_tokens), rule.rate_period_ns), rule.rate_burst);
  digest = add_matches(digest, std::span(rule.own, rule.own_count), spec);
  return add_matches(digest, std::span(rule.peer, rule.peer_count), spec);
}

// What one profile's rules are about; their rates go to the policy.
hf_socket_profile rules_of(const MachineSpec& spec, std::uint16_t number, std::uint64_t generation,
                           SocketPolicy& policy) {
  const hf_profile& profile = spec.tables->profiles[number];
  hf_socket_profile rules = {};
  const std::span all(spec.tables->socket_rules);
  for (const hf_socket_rule& rule : all.subspan(profile.socket_first, profile.socket_count)) {
    rules.operations |= rule.ops;
    if (rule.own_count > 0) rules.own_operations |= rule.ops;
    if (rule.peer_count > 0 && (rule.families & HF_FAMILY_UNIX)) rules.peer_operations |= rule.ops;
    if (rule.verdict == HF_SOCK_RATE)
      policy.rates.push_back({{generation, rule.rule, 0},
                              {digest_of_rate(rule, spec.profiles.at(number), spec), rule, 0, 0}});
  }
  if (profile.label_ruled != 0) rules.labels |= HF_LABELS_RULED;
  if (profile.label_inherit != 0) rules.labels |= HF_LABELS_INHERIT;
  return rules;
}

void add_ids(const MachineSpec& spec, std::uint64_t generation, const hf_sip_key& key,
             SocketPolicy& policy) {
  const auto add_id = [&](const std::string& text, __u32 kind, std::size_t profile, __u32 value) {
    policy.ids.push_back(
        {{generation, label_hash(key, text), kind, static_cast<__u32>(profile)}, value});
  };
  for (std::size_t i = 0; i < spec.label_names.size(); i++)
    add_id(spec.label_names[i], HF_LABEL_IS_NAME, 0, static_cast<__u32>(i));
  for (std::size_t i = 1; i < spec.label_values.size(); i++)
    add_id(spec.label_values[i], HF_LABEL_IS_VALUE, 0, static_cast<__u32>(i));
  for (std::size_t profile = 0; profile < spec.may_set.size(); profile++)
    for (const std::string& name : spec.may_set[profile])
      add_id(name, HF_LABEL_MAY_BE_SET, profile, 1);
}

Result<void> fill(int map_fd, const auto& entries, const char* what) {
  for (const auto& entry : entries)
    if (const int code = bpf_map_update_elem(map_fd, &entry.key, &entry.value, BPF_ANY); code != 0)
      return Error{-code, "rule about sockets", what, {}};
  return {};
}

}  // namespace

void add_rules(SocketPolicy& policy, const hf_socket_profile& rules) {
  policy.operations |= rules.operations;
  policy.peers |= (rules.peer_operations & ~HF_SOCK_ACCEPT) != 0;
  policy.accept_peers |= (rules.peer_operations & HF_SOCK_ACCEPT) != 0;
  policy.ruled_labels |= (rules.labels & HF_LABELS_RULED) != 0;
  policy.inherits |= (rules.labels & HF_LABELS_INHERIT) != 0;
}

Result<SocketPolicy> socket_policy(const MachineSpec& spec, std::uint64_t generation,
                                   const hf_sip_key& key) {
  SocketPolicy policy;
  for (std::uint16_t number = 1; number < spec.tables->profile_count; number++) {
    const hf_socket_profile rules = rules_of(spec, number, generation, policy);
    if (rules.operations == 0 && rules.labels == 0) continue;
    policy.profiles.push_back({{generation, number, 0}, rules});
    add_rules(policy, rules);
  }
  for (auto& rate : policy.rates)
    rate.value.most = HF_MACHINE_BUCKETS_MAX / static_cast<__u32>(policy.rates.size());
  add_ids(spec, generation, key, policy);
  if (policy.ids.size() > HF_LABEL_IDS_MAX)
    return Error{E2BIG, "rule about sockets", {}, "too many names and values of labels"};
  return policy;
}

Result<void> insert(const SocketMaps& maps, const SocketPolicy& policy) {
  HF_TRY(fill(maps.ids, policy.ids, "labels"));
  HF_TRY(fill(maps.profiles, policy.profiles, "profiles"));
  for (const auto& rate : policy.rates) {
    const __u32 none = 0;
    const int code = bpf_map_update_elem(maps.uses, &rate.value.digest, &none, BPF_NOEXIST);
    if (code != 0 && code != -EEXIST) return Error{-code, "rule about sockets", "rates", {}};
  }
  return fill(maps.rates, policy.rates, "rates");
}

std::set<std::uint64_t> rate_digests(const SocketPolicy& policy) {
  std::set<std::uint64_t> digests;
  for (const auto& rate : policy.rates) digests.insert(rate.value.digest);
  return digests;
}

namespace {

template <typename Key>
std::vector<Key> keys_of(int map_fd) {
  std::vector<Key> keys;
  Key key = {};
  for (kernel::MapKeys all(map_fd, sizeof(key)); all.next(&key);) keys.push_back(key);
  return keys;
}

}  // namespace

void drop_other_buckets(const SocketMaps& maps, const std::set<std::uint64_t>& digests) {
  for (const auto& key : keys_of<hf_machine_bucket_key>(maps.buckets))
    if (!digests.contains(key.rate)) bpf_map_delete_elem(maps.buckets, &key);
  for (const __u64 digest : keys_of<__u64>(maps.uses))
    if (!digests.contains(digest)) bpf_map_delete_elem(maps.uses, &digest);
}

// As the programs do when a cgroup is removed.
void drop_buckets_of(const SocketMaps& maps, std::uint64_t bound) {
  for (const auto& key : keys_of<hf_machine_bucket_key>(maps.buckets)) {
    if (key.cgroup != bound || bpf_map_delete_elem(maps.buckets, &key) != 0) continue;
    __u32 uses = 0;
    if (bpf_map_lookup_elem(maps.uses, &key.rate, &uses) != 0 || uses == 0) continue;
    uses--;
    bpf_map_update_elem(maps.uses, &key.rate, &uses, BPF_EXIST);
  }
}

}  // namespace holdfast::backend::lsm
