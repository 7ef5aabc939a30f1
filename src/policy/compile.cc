// SPDX-License-Identifier: Apache-2.0
// Profiles and rules are numbered in the order of the sources. Many lists of movers are equal, so
// each distinct list is stored once.
#include "policy/compile.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <new>

#include "policy/keys.h"
#include "policy/sessions_table.h"

namespace holdfast::policy {
namespace {

using MoverBits = std::array<std::uint64_t, HF_MOVER_WORDS>;

// Sets the fields that summarise all profiles. A decision needs them when the owner of a namespace
// is unknown.
void summarize_visitors(hf_tables& tables) {
  tables.any_visitors_deny = HF_SOME_NONE;
  tables.any_visitors_hold = HF_SOME_NONE;
  for (std::uint32_t i = 1; i < tables.profile_count; i++) {
    const hf_profile& profile = tables.profiles[i];
    const __u8 some = profile.mode == HF_MODE_ENFORCE ? HF_SOME_ENFORCE : HF_SOME_AUDIT;
    if (profile.ns_visitors == HF_VISITORS_DENY)
      tables.any_visitors_deny = std::max(tables.any_visitors_deny, some);
    if (profile.ns_visitors != HF_VISITORS_ALLOW)
      tables.any_visitors_hold = std::max(tables.any_visitors_hold, some);
  }
}

class Compiler {
 public:
  explicit Compiler(const Model& model)
      : model_(model), tables_(static_cast<hf_tables*>(std::calloc(1, sizeof(hf_tables)))) {
    if (!tables_) throw std::bad_alloc();
  }

  std::unique_ptr<const Compiled> compile(std::uint64_t digest) {
    start();
    out_->digest = digest;
    out_->sessions = session_rules(model_.sessions);
    for (std::size_t i = 0; i < model_.profiles.size(); i++)
      add_profile(model_.profiles[i], static_cast<std::uint16_t>(i + 1));
    finish();
    out_->bindings.shrink_to_fit();  // there may be 65,536, and a daemon keeps them
    return std::move(out_);
  }

 private:
  void start() {
    out_ = std::make_unique<Compiled>();
    out_->profiles.emplace_back();
    out_->rules.emplace_back();
    out_->label_values.emplace_back();
    out_->label_rights.emplace_back();
    out_->asked_by.emplace_back();
    permit_all(tables_->profiles[HF_NO_PROFILE]);
    for (const Profile& profile : model_.profiles) {
      numbers_[profile.name] = static_cast<std::uint16_t>(out_->profiles.size());
      out_->profiles.push_back(profile.name);
    }
  }

  static void permit_all(hf_profile& slot) {
    for (const Key& key : kKeys)
      std::visit(ByType{[&](const WordKey& t) {
                          slot.*t.field =
                              static_cast<__u8>(value_of(t.words, key.fallback).value_or(0));
                        },
                        [&](const TypesKey& t) { slot.*t.field = HF_NS_ALL; },
                        [](const auto&) { /* 0 permits */ }},
                 key.type);
  }

  void finish() {
    hf_tables& t = *tables_;
    t.magic = HF_TABLES_MAGIC;
    t.version = HF_ABI_VERSION;
    t.length = sizeof(hf_tables);
    t.generation = 1;
    t.profile_count = static_cast<__u32>(out_->profiles.size());
    t.mover_set_count = static_cast<__u32>(mover_sets_.size());
    t.label_name_count = static_cast<__u32>(out_->label_names.size());
    summarize_visitors(t);
    t.label_value_count = static_cast<__u32>(out_->label_values.size());
    out_->tables = std::move(tables_);
  }

  std::uint32_t new_rule(const Profile& profile, const Span& where, std::string_view key,
                         std::string_view text) {
    out_->rules.push_back({where, profile.name, std::string(key), std::string(text)});
    return static_cast<std::uint32_t>(out_->rules.size() - 1);
  }

  void add_rule(hf_profile& slot, std::uint32_t kind, const Profile& profile, const Span& where,
                std::string_view key, std::string_view text) {
    slot.rules[kind] = new_rule(profile, where, key, text);
  }

  std::uint16_t mover_set(const std::vector<ProfileName>& names) {
    MoverBits bits{};
    for (const ProfileName& name : names) {
      const std::uint16_t number = numbers_.at(name.name);
      bits[number / 64] |= std::uint64_t{1} << (number % 64);
    }
    const auto [at, added] =
        mover_sets_.try_emplace(bits, static_cast<std::uint16_t>(mover_sets_.size()));
    if (added) std::memcpy(tables_->mover_sets[at->second].bits, bits.data(), sizeof(bits));
    return at->second;
  }

  // The line that a verdict names when the key decides.
  template <typename T>
  void add_line(hf_profile& slot, const Key& key, const Profile& p, const Setting<T>& setting) {
    if (key.rule != HF_NO_RULE)
      add_rule(slot, key.rule, p, setting->where, key.name, setting->text);
  }

  template <typename T>
  void add_number(const Profile& p, hf_profile& slot, const Key& key, const T& type) {
    const auto& setting = p.*type.setting;
    if (!setting) return;
    slot.*type.field = setting->value;
    add_line(slot, key, p, setting);
  }

  void add_movers(const Profile& p, hf_profile& slot, const Key& key, const MoversKey& type) {
    const Setting<Movers>& movers = p.*type.setting;
    if (!movers) return;
    slot.*type.field = movers->value.any ? HF_MOVERS_ANY : HF_MOVERS_LIST;
    if (!movers->value.any) slot.*type.set = mover_set(movers->value.names);
    add_line(slot, key, p, movers);
  }

  void add_inside(const Profile& p, hf_profile& slot, const Key& key, const InsideKey& type) {
    const Setting<Inside>& inside = p.*type.setting;
    if (!inside) return;
    slot.*type.field = inside->value.kind;
    if (inside->value.kind != HF_INSIDE_ANY) slot.*type.set = mover_set(inside->value.names);
    add_line(slot, key, p, inside);
  }

  // A list that is left out delegates nothing; then a refusal names the line of the section.
  void add_bpf_section(const Profile& p, hf_profile& slot) {
    if (!p.bpf) return;
    slot.bpf_ruled = 1;
    const std::uint32_t section = new_rule(p, *p.bpf, "bpf.delegate", "[]");
    for (const Key& key : kKeys)
      if (std::holds_alternative<BpfMaskKey>(key.type)) slot.rules[key.rule] = section;
  }

  void add_bpf_mask(const Profile& p, hf_profile& slot, const Key& key, const BpfMaskKey& type) {
    const Setting<BpfMask>& mask = p.*type.setting;
    if (!mask) return;
    type.store(slot, mask->value);
    add_line(slot, key, p, mask);
  }

  void add_quota(const Profile& p, hf_profile& slot, const Key& key, const QuotaKey& type) {
    const Setting<std::uint64_t>& quota = p.*type.setting;
    if (!quota) return;
    type.store(slot, quota->value);
    slot.bpf_quotas |= type.quota;
    add_line(slot, key, p, quota);
  }

  // A missing bpf key with a word restricts too. The place of its rule is the section.
  void add_default_line(const Profile& p, hf_profile& slot, const Key& key) {
    if (key.about == About::bpf && p.bpf && place_of(key, p) == nullptr)
      add_rule(slot, key.rule, p, *p.bpf, key.name, fmt::format("\"{}\"", key.fallback));
  }

  void add_label_names(const Profile& p, hf_profile& slot, const Key& key,
                       const LabelNamesKey& type) {
    const auto& setting = p.*type.setting;
    if (!setting) return;
    LabelRights& rights = out_->label_rights.back();
    rights.ruled = true;
    rights.set = setting->value;
    rights.set_rule = new_rule(p, setting->where, key.name, setting->text);
    slot.label_ruled = 1;
    slot.label_rule = rights.set_rule;
  }

  void add_label_flag(const Profile& p, hf_profile& slot, const Key& key,
                      const LabelFlagKey& type) {
    const Setting<bool>& setting = p.*type.setting;
    if (!setting) return;
    LabelRights& rights = out_->label_rights.back();
    rights.inherit = setting->value;
    rights.inherit_rule = new_rule(p, setting->where, key.name, setting->text);
    slot.*type.field = setting->value;
  }

  // The number of `text` in the list. Appends it if it is new.
  static std::uint32_t intern(std::map<std::string, std::uint32_t, std::less<>>& known,
                              std::vector<std::string>& list, const std::string& text) {
    const auto [at, added] = known.try_emplace(text, static_cast<std::uint32_t>(list.size()));
    if (added) list.push_back(text);
    return at->second;
  }

  void add_conditions(const std::vector<LabelCondition>& conditions, hf_label_match* matches,
                      __u8& count) {
    for (const LabelCondition& condition : conditions) {
      hf_label_match& match = matches[count++];
      match.name = static_cast<__u16>(intern(label_names_, out_->label_names, condition.name));
      match.kind = condition.kind;
      if (condition.kind == HF_LABEL_VALUE)
        match.value = intern(label_values_, out_->label_values, condition.value);
    }
  }

  void add_sockets(const Profile& p, hf_profile& slot) {
    slot.socket_first = tables_->socket_rule_count;
    slot.socket_count = static_cast<__u16>(p.sockets.size());
    if (!p.sockets.empty()) tables_->any_socket_rules = 1;
    for (std::size_t i = 0; i < p.sockets.size(); i++) {
      const SocketRule& from = p.sockets[i];
      hf_socket_rule& to = tables_->socket_rules[tables_->socket_rule_count++];
      to.ops = from.ops;
      to.families = from.families;
      to.verdict = from.verdict;
      to.rule = new_rule(p, from.where, fmt::format("socket[{}]", i + 1), from.text);
      to.rate_tokens = from.rate.tokens;
      to.rate_period_ns = from.rate.period_ns;
      to.rate_burst = from.rate.burst;
      add_conditions(from.own, to.own, to.own_count);
      add_conditions(from.peer, to.peer, to.peer_count);
    }
  }

  // Without a setting no profile may change a mark.
  void add_mark(const Profile& p, std::uint16_t number, hf_profile& slot) {
    if (!p.mark) return;
    out_->marks.push_back({p.mark->value, number, p.mark->where});
    if (p.mark_by) return;
    slot.mark_by = HF_MOVERS_LIST;
    slot.mark_set = mover_set({});
    add_rule(slot, HF_RULE_MARK, p, p.mark->where, "mark", p.mark->text);
  }

  void add_key(const Profile& p, std::uint16_t number, hf_profile& slot, const Key& key) {
    std::visit(ByType{
                   [&](const WordKey& t) {
                     add_default_line(p, slot, key);
                     add_number(p, slot, key, t);
                   },
                   [&](const TypesKey& t) { add_number(p, slot, key, t); },
                   [&](const FlagKey& t) { add_number(p, slot, key, t); },
                   [&](const MoversKey& t) { add_movers(p, slot, key, t); },
                   [&](const InsideKey& t) { add_inside(p, slot, key, t); },
                   [&](const BpfMaskKey& t) { add_bpf_mask(p, slot, key, t); },
                   [&](const CountKey& t) { add_quota(p, slot, key, t); },
                   [&](const BytesKey& t) { add_quota(p, slot, key, t); },
                   [&](const LabelNamesKey& t) { add_label_names(p, slot, key, t); },
                   [&](const LabelFlagKey& t) { add_label_flag(p, slot, key, t); },
                   [&](const MarkNameKey&) { add_mark(p, number, slot); },
                   [&](const RuntimesKey&) {
                     if (p.annotation) out_->asked_by.back() = p.annotation->value;
                   },
                   [&](const PathsKey&) {
                     for (const Stated<std::string>* cgroup : bound_cgroups(p))
                       out_->bindings.push_back({cgroup->value, number});
                   },
                   [](const UnitsKey&) { /* with PathsKey */ },
                   [&](const SocketRulesKey&) { add_sockets(p, slot); },
                   [](const auto&) { /* a key of one socket rule: add_sockets() */ },
               },
               key.type);
    if (key.about == About::moves && place_of(key, p) != nullptr) tables_->any_cgroup_rules = 1;
  }

  void add_profile(const Profile& p, std::uint16_t number) {
    hf_profile& slot = tables_->profiles[number];
    permit_all(slot);
    out_->label_rights.emplace_back();
    out_->asked_by.emplace_back();
    add_rule(slot, HF_RULE_PROFILE, p, p.where, "profile", p.name);
    for (const Key& key : kKeys) {
      if (key.rule == HF_RULE_BPF_COMMANDS) add_bpf_section(p, slot);
      add_key(p, number, slot, key);
    }
  }

  const Model& model_;
  TablesPtr<hf_tables> tables_;
  std::unique_ptr<Compiled> out_;
  std::map<std::string, std::uint16_t, std::less<>> numbers_;
  std::map<MoverBits, std::uint16_t> mover_sets_;
  std::map<std::string, std::uint32_t, std::less<>> label_names_;
  std::map<std::string, std::uint32_t, std::less<>> label_values_;
};

}  // namespace

void set_mode(hf_tables& tables, std::uint8_t mode) {
  for (std::uint32_t i = 1; i < tables.profile_count; i++) tables.profiles[i].mode = mode;
  summarize_visitors(tables);
}

void set_profile_mode(hf_tables& tables, std::uint16_t profile, std::uint8_t mode) {
  tables.profiles[profile].mode = mode;
  summarize_visitors(tables);
}

std::unique_ptr<const Compiled> compile(const Model& model, std::uint64_t digest) {
  return Compiler(model).compile(digest);
}

}  // namespace holdfast::policy
