// SPDX-License-Identifier: Apache-2.0
#include "explain/learn_trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "core/decide.h"

namespace holdfast::policy {
namespace {

std::string quoted(std::string_view word) { return fmt::format("\"{}\"", word); }

LearnedSetting single(std::string value, EventIds ids) {
  return {true, false, {{std::move(value), std::move(ids), ""}}};
}

}  // namespace

Trial::Trial(const std::vector<Seen>& seen, const Compiled& names)
    : seen_(seen), names_(names), tables_(std::make_unique<hf_tables>()) {
  hf_tables& t = *tables_;
  t.magic = HF_TABLES_MAGIC;
  t.version = HF_ABI_VERSION;
  t.length = sizeof(hf_tables);
  t.profile_count = static_cast<__u32>(names.profiles.size());
  t.label_name_count = static_cast<__u32>(names.label_names.size());
  t.label_value_count = static_cast<__u32>(names.label_values.size());
  t.mover_set_count = 1;
  t.any_cgroup_rules = 1;
  for (std::size_t i = 0; i < names.profiles.size(); i++) reset(static_cast<std::uint16_t>(i));
}

void Trial::reset(std::uint16_t profile) {
  hf_profile& slot = tables_->profiles[profile];
  slot = {};
  slot.ns_create = HF_NS_ALL;
  tables_->any_visitors_deny = HF_SOME_NONE;
  tables_->any_visitors_hold = HF_SOME_NONE;
}

bool Trial::refused_always(const Seen& seen) {
  hf_verdict verdict;
  hf_decide(tables_.get(), &seen.request, &verdict);
  return verdict.action == HF_DENY;
}

// Skips events that no policy allows.
Trial::Ids Trial::refused() {
  Ids ids;
  for (const Seen& seen : seen_)
    if (refused_always(seen)) ids.add(seen.ids);
  return ids;
}

LearnedSetting Trial::word(const WordKey& key, std::uint16_t profile) {
  Ids by_stricter;
  for (std::size_t i = 0; i < key.words.size(); i++) {
    const std::uint8_t value = key.order[i];
    tables_->profiles[profile].*key.field = value;
    if (key.field == &hf_profile::ns_visitors) {
      tables_->any_visitors_deny = value == HF_VISITORS_DENY ? HF_SOME_ENFORCE : HF_SOME_NONE;
      tables_->any_visitors_hold = value != HF_VISITORS_ALLOW ? HF_SOME_ENFORCE : HF_SOME_NONE;
    }
    Ids ids = refused();
    if (ids.empty()) {
      reset(profile);
      return single(quoted(name_of(key.words, value)), std::move(by_stricter));
    }
    by_stricter = std::move(ids);
  }
  reset(profile);
  return {};
}

// A list of all types restricts nothing. Tracing depends on whether the list restricts something.
LearnedSetting Trial::types(const TypesKey& key, std::uint16_t profile) {
  LearnedSetting list{true, true, {}};
  for (const Name& type : kNsTypeNames) {
    tables_->profiles[profile].*key.field = HF_NS_ALL & ~type.value;
    Ids ids = refused();
    if (!ids.empty()) list.values.push_back({quoted(type.text), std::move(ids), ""});
  }
  if (list.values.size() == HF_NS_COUNT) {
    tables_->profiles[profile].*key.field = 0;
    list = single(quoted("any"), refused());
  }
  reset(profile);
  return list;
}

// Mover set 0 becomes all profiles but `without`. HF_NO_PROFILE: it becomes empty.
void Trial::set_movers(std::uint16_t without) {
  hf_mover_set& set = tables_->mover_sets[0];
  set = {};
  if (without == HF_NO_PROFILE) return;
  for (std::size_t i = 1; i < names_.profiles.size(); i++)
    if (i != without) set.bits[i / 64] |= std::uint64_t{1} << (i % 64);
}

// A task without a profile cannot be in a list. If it moved a task, only "any" allows that.
LearnedSetting Trial::movers(std::uint8_t hf_profile::*field, std::uint16_t profile) {
  static_assert(HF_MOVERS_LIST == HF_INSIDE_LIST);
  tables_->profiles[profile].*field = HF_MOVERS_LIST;
  set_movers(static_cast<std::uint16_t>(HF_PROFILE_SLOTS));
  const Ids unlisted = refused();
  LearnedSetting list{true, true, {}};
  if (!unlisted.empty()) list = single(quoted("any"), unlisted);
  const auto count = static_cast<std::uint16_t>(names_.profiles.size());
  for (std::uint16_t i = 1; unlisted.empty() && i < count; i++) {
    set_movers(i);
    Ids ids = refused();
    if (!ids.empty()) list.values.push_back({quoted(names_.profiles[i]), std::move(ids), ""});
  }
  reset(profile);
  return list;
}

LearnedSetting Trial::inside(const InsideKey& key, std::uint16_t profile) {
  hf_profile& slot = tables_->profiles[profile];
  slot.*key.field = HF_INSIDE_LIST;
  set_movers(HF_NO_PROFILE);
  Ids by_nobody = refused();
  slot.*key.field = HF_INSIDE_DELEGATED;
  const bool delegated = refused().empty();
  reset(profile);
  if (!by_nobody.empty() && delegated) return single(quoted("delegated"), std::move(by_nobody));
  return movers(key.field, profile);
}

LearnedSetting Trial::strictest(const Key& key, std::uint16_t profile) {
  return std::visit(ByType{
                        [&](const WordKey& type) { return word(type, profile); },
                        [&](const TypesKey& type) { return types(type, profile); },
                        [&](const MoversKey& type) { return movers(type.field, profile); },
                        [&](const InsideKey& type) { return inside(type, profile); },
                        [](const auto&) { return LearnedSetting(); },
                    },
                    key.type);
}

}  // namespace holdfast::policy
