// SPDX-License-Identifier: Apache-2.0
#include "reference/random_case.h"

#include <fmt/core.h>

#include "policy/bpf_names.h"
#include "policy/load.h"

namespace holdfast::reference {
namespace {

using policy::Names;

constexpr std::string_view kProfiles[] = {"a", "b", "c", "d", "e"};
constexpr std::string_view kLabels[] = {"user.x", "user.y", "user.z"};
constexpr std::string_view kValues[] = {"client", "server", "listen", "entrypoint"};

// A list of some of the names; `least` of them.
std::string some_of(Random& random, Names names, std::uint32_t least) {
  std::string list;
  std::uint32_t count = 0;
  for (const auto& name : names) {
    if (!random.once_in(3)) continue;
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name.text);
    count++;
  }
  if (count < least)
    list =
        fmt::format("\"{}\"", names[random.below(static_cast<std::uint32_t>(names.size()))].text);
  return "[" + list + "]";
}

std::string some_profiles(Random& random, std::uint32_t count) {
  std::string list;
  for (std::uint32_t i = 0; i < count; i++) {
    if (random.once_in(2)) list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", kProfiles[i]);
  }
  return "[" + list + "]";
}

std::string movers(Random& random, std::uint32_t count) {
  if (random.once_in(4)) return std::string(random.pick({"\"any\"", "\"none\"", "[]"}));
  return some_profiles(random, count);
}

std::string conditions(Random& random) {
  std::string text;
  for (const std::string_view label : kLabels) {
    if (!random.once_in(3)) continue;
    const std::uint32_t kind = random.below(4);
    const std::string value = kind == 0   ? "false"
                              : kind == 1 ? "\"*\""
                                          : fmt::format("\"{}\"", kValues[random.below(4)]);
    text += fmt::format("{} \"{}\" = {}", text.empty() ? "" : ",", label, value);
  }
  return "{" + text + " }";
}

std::string socket_rule(Random& random, std::string_view profile) {
  std::string text = fmt::format("[[profile.{}.socket]]\n", profile);
  text += fmt::format("on = {}\n", some_of(random, policy::kSocketOpNames, 1));
  if (random.once_in(2))
    text += fmt::format("family = {}\n", some_of(random, policy::kFamilyNames, 1));
  if (!random.once_in(3)) text += fmt::format("label = {}\n", conditions(random));
  if (random.once_in(4)) text += fmt::format("peer = {}\n", conditions(random));
  return text + std::string(random.pick({"verdict = \"allow\"\n", "verdict = \"deny\"\n",
                                         "rate = \"20/s burst 40\"\n", "rate = \"7/min\"\n"}));
}

std::string namespaces(Random& random) {
  std::string text;
  if (random.once_in(2))
    text += fmt::format("namespaces.create = {}\n", some_of(random, policy::kNsTypeNames, 0));
  if (random.once_in(2))
    text += fmt::format("namespaces.enter = \"{}\"\n",
                        random.pick({"any", "none", "lock", "own", "lock"}));
  if (random.once_in(3)) return text;
  text += "namespaces.track = true\n";
  if (random.once_in(4)) return text;
  return text + fmt::format("namespaces.visitors = \"{}\"\n",
                            random.pick({"allow", "deny", "lock", "lock"}));
}

std::string bpf(Random& random) {
  std::string text;
  const auto list = [&](std::string_view key, Names names) {
    if (!random.once_in(3))
      text += fmt::format("bpf.delegate.{} = {}\n", key, some_of(random, names, 0));
  };
  list("commands", policy::kBpfCommandNames);
  list("maps", policy::kBpfMapNames);
  list("programs", policy::kBpfProgramNames);
  list("attachments", policy::kBpfAttachNames);
  if (random.once_in(3))
    text +=
        fmt::format("bpf.delegate.attach_to = \"{}\"\n", random.pick({"own-cgroup", "anywhere"}));
  if (random.once_in(3)) text += fmt::format("bpf.quota.maps = {}\n", random.below(9));
  if (random.once_in(3)) text += fmt::format("bpf.quota.programs = {}\n", random.below(9));
  if (random.once_in(3)) text += fmt::format("bpf.quota.memory = \"{}K\"\n", random.below(9));
  if (random.once_in(5)) text += "bpf.delegate.maps = \"any\"\n";
  return text.find("delegate.maps") == text.rfind("delegate.maps") ? text : "";
}

std::string profile(Random& random, std::uint32_t index, std::uint32_t count) {
  const std::string_view name = kProfiles[index];
  std::string text = fmt::format("[profile.{}]\ncgroup = \"/{}\"\n", name, name);
  if (random.once_in(3)) text += fmt::format("mode = \"{}\"\n", random.pick({"audit", "enforce"}));
  if (random.once_in(3))
    text += fmt::format("log = \"{}\"\n", random.pick({"all", "none", "denials"}));
  text += namespaces(random);
  if (random.once_in(2)) text += fmt::format("cgroups.leave = {}\n", movers(random, count));
  if (random.once_in(2)) text += fmt::format("cgroups.join = {}\n", movers(random, count));
  if (random.once_in(2))
    text += fmt::format("cgroups.inside = {}\n",
                        random.once_in(3) ? "\"delegated\""
                        : random.once_in(3)
                            ? fmt::format("[\"{}\", \"delegated\"]", kProfiles[random.below(count)])
                            : movers(random, count));
  if (random.once_in(3)) {
    text += fmt::format("mark = \"trusted.{}\"\n", name);
    if (random.once_in(2)) text += fmt::format("mark_by = {}\n", movers(random, count));
  }
  if (random.once_in(2)) text += bpf(random);
  for (std::uint32_t i = random.below(5); i > 0; i--) text += socket_rule(random, name);
  return text;
}

std::uint16_t any_profile(Random& random, const policy::Compiled& policy) {
  if (random.once_in(200)) return static_cast<std::uint16_t>(random.next());
  return static_cast<std::uint16_t>(
      random.below(static_cast<std::uint32_t>(policy.profiles.size())));
}

std::uint32_t some_bits(Random& random, std::uint32_t all) {
  if (random.once_in(200)) return static_cast<std::uint32_t>(random.next());
  return static_cast<std::uint32_t>(random.next()) & static_cast<std::uint32_t>(random.next()) &
         all;
}

void random_namespaces(Random& random, const policy::Compiled& policy, hf_request& r) {
  if (random.once_in(2)) r.subject_set = 1 + random.below(3);
  if (!random.once_in(3)) {
    r.held_owner = any_profile(random, policy);
    r.held_set = random.below(4);
    r.held_types = some_bits(random, HF_NS_ALL);
  }
  r.target_owner = any_profile(random, policy);
  r.target_set = random.below(4);
  r.ns_types = r.op == HF_OP_NAMESPACE_ALLOC ? some_bits(random, HF_NS_ALL)
                                             : 1u << random.below(HF_NS_COUNT);
}

void random_chain(Random& random, const policy::Compiled& policy, __u16* chain) {
  for (std::uint32_t i = random.below(4); i > 0; i--) chain[i - 1] = any_profile(random, policy);
  if (random.once_in(50)) {
    for (std::uint32_t i = 0; i < HF_MAX_NEST; i++) chain[i] = any_profile(random, policy);
  }
}

void random_labels(Random& random, const policy::Compiled& policy, __u32* labels) {
  for (std::uint32_t i = 0; i < policy.label_names.size(); i++) {
    if (random.once_in(3)) continue;
    labels[i] = random.once_in(5)
                    ? HF_LABEL_ID_OTHER
                    : random.below(static_cast<std::uint32_t>(policy.label_values.size()));
  }
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::string random_policy(Random& random) {
  while (true) {
    std::string text = "version = 1\n";
    if (random.once_in(4)) text += "mode = \"audit\"\n";
    const std::uint32_t count = 1 + random.below(5);
    for (std::uint32_t i = 0; i < count; i++) text += profile(random, i, count);
    // A random socket rule may be dead behind another: that is a mistake, so such a policy is
    // thrown away.
    if (policy::load({{"random.toml", text}}).policy != nullptr) return text;
  }
}

hf_request random_request(Random& random, const policy::Compiled& policy) {
  hf_request r{};
  r.op = static_cast<__u16>(1 + random.below(random.once_in(100) ? 10 : 8));
  r.subject = any_profile(random, policy);
  r.object = random.once_in(2) ? r.subject : any_profile(random, policy);
  r.flags = some_bits(random, 0xff & ~HF_REQ_FACTS_MISSING & ~HF_REQ_SAME_CGROUP);
  if (random.once_in(100)) r.flags |= HF_REQ_FACTS_MISSING;
  if (random.once_in(20)) r.flags |= HF_REQ_SAME_CGROUP;
  if (random.once_in(2)) r.flags |= HF_REQ_TARGET_KNOWN;
  random_namespaces(random, policy, r);
  random_chain(random, policy, r.src_chain);
  random_chain(random, policy, r.dst_chain);
  if (!random.once_in(50)) r.sock_op = static_cast<__u16>(1u << random.below(5));
  if (!random.once_in(50)) r.sock_family = static_cast<__u16>(1u << random.below(7));
  r.via = static_cast<__u16>(HF_VIA_BPF_COMMAND + random.below(random.once_in(50) ? 5 : 4));
  r.flags &= ~(HF_REQ_BPF_OUTSIDE | HF_REQ_BPF_FOREIGN | HF_REQ_OVER_QUOTA | HF_REQ_OVER_MEMORY);
  for (const std::uint32_t flag :
       {HF_REQ_BPF_OUTSIDE, HF_REQ_BPF_FOREIGN, HF_REQ_OVER_QUOTA, HF_REQ_OVER_MEMORY})
    if (random.once_in(4)) r.flags |= flag;
  r.bpf_value = random.below(random.once_in(20) ? 200 : 60);
  random_labels(random, policy, r.own_labels);
  random_labels(random, policy, r.peer_labels);
  return r;
}

}  // namespace holdfast::reference
