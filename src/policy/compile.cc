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
    permit_all(tables_->profiles[HF_NO_PROFILE]);
    for (const Profile& profile : model_.profiles) {
      numbers_[profile.name] = static_cast<std::uint16_t>(out_->profiles.size());
      out_->profiles.push_back(profile.name);
    }
  }

  static void permit_all(hf_profile& slot) {
    slot.ns_create = HF_NS_ALL;
    slot.mode = HF_MODE_ENFORCE;
    slot.log = HF_LOG_DENIALS;
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

  // Sets a field if the profile has the setting, and records its rule.
  template <typename T, typename Field>
  void set(hf_profile& slot, std::uint32_t kind, const Profile& profile, std::string_view key,
           const Setting<T>& setting, Field& field) {
    if (!setting) return;
    field = static_cast<Field>(setting->value);
    add_rule(slot, kind, profile, setting->where, key, setting->text);
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

  void add_movers(hf_profile& slot, std::uint32_t kind, const Profile& profile,
                  std::string_view key, const Setting<Movers>& movers, __u8& how, __u16& set) {
    if (!movers) return;
    how = movers->value.any ? HF_MOVERS_ANY : HF_MOVERS_LIST;
    if (!movers->value.any) set = mover_set(movers->value.names);
    add_rule(slot, kind, profile, movers->where, key, movers->text);
  }

  void add_namespaces(const Profile& p, hf_profile& slot) {
    set(slot, HF_RULE_NS_CREATE, p, "namespaces.create", p.ns_create, slot.ns_create);
    set(slot, HF_RULE_NS_ENTER, p, "namespaces.enter", p.ns_enter, slot.ns_enter);
    set(slot, HF_RULE_NS_TRACK, p, "namespaces.track", p.ns_track, slot.ns_track);
    set(slot, HF_RULE_NS_VISITORS, p, "namespaces.visitors", p.ns_visitors, slot.ns_visitors);
  }

  void add_cgroups(const Profile& p, hf_profile& slot) {
    add_movers(slot, HF_RULE_CG_LEAVE, p, "cgroups.leave", p.cg_leave, slot.cg_leave,
               slot.leave_set);
    add_movers(slot, HF_RULE_CG_JOIN, p, "cgroups.join", p.cg_join, slot.cg_join, slot.join_set);
    if (p.cg_inside) {
      slot.cg_inside = p.cg_inside->value.kind;
      if (slot.cg_inside != HF_INSIDE_ANY) slot.inside_set = mover_set(p.cg_inside->value.names);
      add_rule(slot, HF_RULE_CG_INSIDE, p, p.cg_inside->where, "cgroups.inside", p.cg_inside->text);
    }
    if (p.cg_leave || p.cg_join || p.cg_inside) tables_->any_cgroup_rules = 1;
  }

  void add_bpf_mask(const Profile& p, hf_profile& slot, std::uint32_t kind, std::string_view key,
                    const Setting<BpfMask>& mask, std::uint32_t section_rule) {
    slot.rules[kind] = section_rule;
    if (mask) add_rule(slot, kind, p, mask->where, key, mask->text);
  }

  template <typename Field>
  void set_quota(const Profile& p, hf_profile& slot, std::uint32_t kind, std::string_view of,
                 const Setting<std::uint64_t>& quota, Field& field) {
    if (!quota) return;
    set(slot, kind, p, fmt::format("bpf.quota.{}", of), quota, field);
    slot.bpf_quotas |= HF_QUOTA_MAPS << (kind - HF_RULE_BPF_QUOTA_MAPS);
  }

  // A missing list delegates nothing. Its rule is then the section itself.
  void add_bpf(const Profile& p, hf_profile& slot) {
    const BpfDelegate& bpf = *p.bpf;
    const std::uint32_t section = new_rule(p, bpf.where, "bpf.delegate", "[]");
    add_bpf_mask(p, slot, HF_RULE_BPF_COMMANDS, "bpf.delegate.commands", bpf.commands, section);
    add_bpf_mask(p, slot, HF_RULE_BPF_MAPS, "bpf.delegate.maps", bpf.maps, section);
    add_bpf_mask(p, slot, HF_RULE_BPF_PROGRAMS, "bpf.delegate.programs", bpf.programs, section);
    add_bpf_mask(p, slot, HF_RULE_BPF_ATTACHMENTS, "bpf.delegate.attachments", bpf.attachments,
                 section);
    if (!bpf.attach_to)
      add_rule(slot, HF_RULE_BPF_ATTACH_TO, p, bpf.where, "bpf.delegate.attach_to",
               "\"own-cgroup\"");
    set(slot, HF_RULE_BPF_ATTACH_TO, p, "bpf.delegate.attach_to", bpf.attach_to,
        slot.bpf_attach_to);
    set_quota(p, slot, HF_RULE_BPF_QUOTA_MAPS, "maps", bpf.max_maps, slot.bpf_max_maps);
    set_quota(p, slot, HF_RULE_BPF_QUOTA_PROGRAMS, "programs", bpf.max_programs,
              slot.bpf_max_programs);
    set_quota(p, slot, HF_RULE_BPF_QUOTA_MEMORY, "memory", bpf.max_memory, slot.bpf_max_memory);
    slot.bpf_ruled = 1;
    if (bpf.commands) slot.bpf_commands = bpf.commands->value.low;
    if (bpf.maps) slot.bpf_maps = bpf.maps->value.low;
    if (bpf.programs) slot.bpf_programs = bpf.programs->value.low;
    if (bpf.attachments) {
      slot.bpf_attachments[0] = bpf.attachments->value.low;
      slot.bpf_attachments[1] = bpf.attachments->value.high;
    }
  }

  void add_labels(const Profile& p, hf_profile& slot) {
    LabelRights rights;
    if (p.labels.set) {
      rights.ruled = true;
      rights.set = p.labels.set->value;
      rights.set_rule = new_rule(p, p.labels.set->where, "label.set", p.labels.set->text);
    }
    if (p.labels.inherit) {
      rights.inherit = p.labels.inherit->value;
      rights.inherit_rule =
          new_rule(p, p.labels.inherit->where, "label.inherit", p.labels.inherit->text);
    }
    slot.label_ruled = rights.ruled;
    slot.label_inherit = rights.inherit;
    slot.label_rule = rights.set_rule;
    out_->label_rights.push_back(std::move(rights));
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
    out_->marks.push_back({p.mark->value, number, p.mark->where});
    slot.mark_by = HF_MOVERS_LIST;
    if (p.mark_by)
      return add_movers(slot, HF_RULE_MARK, p, "mark_by", p.mark_by, slot.mark_by, slot.mark_set);
    slot.mark_set = mover_set({});
    add_rule(slot, HF_RULE_MARK, p, p.mark->where, "mark", p.mark->text);
  }

  void add_profile(const Profile& p, std::uint16_t number) {
    hf_profile& slot = tables_->profiles[number];
    permit_all(slot);
    add_rule(slot, HF_RULE_PROFILE, p, p.where, "profile", p.name);
    if (p.mode) slot.mode = p.mode->value;
    if (p.log) slot.log = p.log->value;
    add_namespaces(p, slot);
    add_cgroups(p, slot);
    add_sockets(p, slot);
    if (p.bpf) add_bpf(p, slot);
    add_labels(p, slot);
    for (const Stated<std::string>& cgroup : p.cgroups)
      out_->bindings.push_back({cgroup.value, number});
    if (p.mark) add_mark(p, number, slot);
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
