// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/profile_counters.h"

#include <atomic>

#include <bpf/bpf.h>

#include <cstring>

#include "core/abi.h"

namespace holdfast::backend::lsm {

namespace {

constexpr char kOther[] = "(other)";  // no name of a profile has a bracket

hf_profile_counters read_slot(int counters_fd, std::uint32_t slot) {
  hf_profile_counters counters = {};
  if (bpf_map_lookup_elem(counters_fd, &slot, &counters) != 0) counters = {};
  return counters;
}

Error failed(int code, const std::string& profile) {
  return Error{-code, "count decisions of profile", profile, {}};
}

}  // namespace

void ProfileCounterSlots::use(int counters_fd, int slots_fd) {
  counters_fd_ = counters_fd;
  slots_fd_ = slots_fd;
  slots_.clear();
  for (std::uint32_t slot = HF_COUNTERS_FIRST; slot < HF_COUNTERS_SLOTS; slot++) {
    const hf_profile_counters counters = read_slot(counters_fd_, slot);
    if (counters.profile[0] == 0) return;
    slots_.emplace(counters.profile, slot);
  }
}

Result<std::uint32_t> ProfileCounterSlots::slot_of(const std::string& profile) {
  const auto found = slots_.find(profile);
  if (found != slots_.end()) return found->second;
  const auto slot = HF_COUNTERS_FIRST + static_cast<std::uint32_t>(slots_.size());
  if (slot >= HF_COUNTERS_SLOTS || profile.size() >= HF_COUNTERS_NAME) return HF_COUNTERS_OTHER;
  hf_profile_counters counters = {};
  std::memcpy(counters.profile, profile.data(), profile.size());
  if (const int code = bpf_map_update_elem(counters_fd_, &slot, &counters, BPF_ANY); code != 0)
    return failed(code, profile);
  slots_.emplace(profile, slot);
  return slot;
}

Result<void> ProfileCounterSlots::insert(std::uint64_t generation,
                                         const std::vector<std::string>& profiles) {
  for (std::uint32_t i = 1; i < profiles.size(); i++) {
    HF_TRY_ASSIGN(const auto slot, slot_of(profiles[i]));
    const hf_profile_counters_key key = {generation, i, 0};
    if (const int code = bpf_map_update_elem(slots_fd_, &key, &slot, BPF_ANY); code != 0)
      return failed(code, profiles[i]);
  }
  return {};
}

void ProfileCounterSlots::count(const std::string& profile, std::uint16_t hook,
                                std::uint32_t kind) {
  if (!mapped_) {
    auto mapped =
        kernel::MappedValue::map(counters_fd_, sizeof(hf_profile_counters) * HF_COUNTERS_SLOTS);
    if (!mapped) return;
    mapped_.emplace(*std::move(mapped));
  }
  const auto found = slots_.find(profile);
  const std::uint32_t slot = profile.empty()         ? HF_COUNTERS_NONE
                             : found == slots_.end() ? HF_COUNTERS_OTHER
                                                     : found->second;
  if (hook >= HF_OP_COUNT || kind >= HF_OUTCOMES) return;
  std::atomic_ref<__u64>(
      static_cast<hf_profile_counters*>(mapped_->data())[slot].counts[hook][kind])
      .fetch_add(1, std::memory_order_relaxed);
}

std::vector<DecisionCount> ProfileCounterSlots::counts() const {
  std::vector<DecisionCount> counts;
  const auto add = [&](std::uint32_t slot, const std::string& profile) {
    const hf_profile_counters counters = read_slot(counters_fd_, slot);
    for (std::uint16_t hook = 0; hook < HF_OP_COUNT; hook++)
      for (std::uint32_t kind = 0; kind < HF_OUTCOMES; kind++)
        if (counters.counts[hook][kind] != 0)
          counts.push_back({profile, hook, kind, counters.counts[hook][kind]});
  };
  add(HF_COUNTERS_NONE, "");
  add(HF_COUNTERS_OTHER, kOther);
  for (const auto& [profile, slot] : slots_) add(slot, profile);
  return counts;
}

}  // namespace holdfast::backend::lsm
