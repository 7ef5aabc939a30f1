// SPDX-License-Identifier: Apache-2.0
// Every rule that applies gives an opinion; the strongest opinion wins, and among equals the first.
#include "reference/reference.h"

#include <fmt/core.h>

#include <algorithm>

#include "policy/bpf_names.h"
#include "policy/enum_names.h"
#include "reference/opinions.h"

namespace holdfast::reference {
namespace {

using policy::Profile;

class Interpreter {
 public:
  Interpreter(const policy::Model& model, const Facts& facts)
      : model_(model), f_(facts), opinions_(model) {}

  Outcome decide() {
    if (!f_.readable) return opinions_.impossible("facts-missing");
    if (!f_.sensible) return opinions_.impossible("bad-request");
    if (f_.op == "socket") return socket();
    if (f_.op == "label") return label();
    if (f_.op == "namespace_alloc") {
      create();
    } else if (f_.op == "namespace_install") {
      enter();
    } else if (f_.op == "cgroup_attach") {
      if (f_.same_cgroup) return opinions_.nothing("same-cgroup", f_.subject);
      move();
    } else if (f_.op == "bpf") {
      bpf();
    } else if (f_.op == "trace") {
      trace();
    } else if (f_.op == "mark" && !f_.object.empty()) {
      mark();
    } else {
      return opinions_.impossible("bad-request");
    }
    return opinions_.strongest(f_.subject);
  }

 private:
  const Profile* find(const std::string& name) const { return opinions_.find(name); }

  std::string visitors_of(const std::string& profile) const {
    const Profile* p = find(profile);
    if (p == nullptr || !p->ns_visitors) return "allow";
    return std::string(policy::name_of(policy::kVisitorsNames, p->ns_visitors->value));
  }

  std::string enter_of(const std::string& profile) const {
    const Profile* p = find(profile);
    if (p == nullptr || !p->ns_enter) return "any";
    return std::string(policy::name_of(policy::kEnterNames, p->ns_enter->value));
  }

  bool may_create(const std::string& profile, const std::string& type) const {
    const Profile* p = find(profile);
    if (p == nullptr || !p->ns_create) return type.substr(0, 2) != "0x";
    const auto bit = policy::value_of(policy::kNsTypeNames, type);
    return bit && (p->ns_create->value & *bit) != 0;
  }

  bool creates_freely(const std::string& profile) const {
    return std::all_of(
        policy::kNsTypeNames.begin(), policy::kNsTypeNames.end(),
        [&](const auto& type) { return may_create(profile, std::string(type.text)); });
  }

  // Does some profile keep visitors in, or out?
  bool some_profile_holds(bool enforcing_only) const {
    return std::any_of(model_.profiles.begin(), model_.profiles.end(), [&](const Profile& p) {
      return visitors_of(p.name) != "allow" &&
             (!enforcing_only || opinions_.mode_of(p.name) == "enforce");
    });
  }

  bool held_as_visitor() const {
    if (f_.held.id == 0) return false;
    if (f_.held_in_several) return some_profile_holds(false);
    return f_.held.owner != f_.subject && visitors_of(f_.held.owner) != "allow";
  }

  bool held_as_member() const { return f_.held.id != 0 && enter_of(f_.subject) == "lock"; }

  void refuse_if_held(const std::string& reason) {
    if (held_as_visitor()) {
      std::string mode = opinions_.mode_of(f_.held.owner);
      if (f_.held_in_several) mode = some_profile_holds(true) ? "enforce" : "audit";
      opinions_.deny(f_.held.owner, "namespaces.visitors", reason, mode);
    }
    if (held_as_member()) opinions_.deny(f_.subject, "namespaces.enter", reason);
  }

  void create() {
    for (const std::string& type : f_.types) {
      if (!may_create(f_.subject, type)) opinions_.deny(f_.subject, "namespaces.create", "create");
    }
    bool keeps = f_.held_anchored;
    for (const std::string& type : f_.held_types) {
      const bool nests = type == "pid" || type == "user";
      keeps = keeps || nests || !f_.types.contains(type);
    }
    if (!keeps) refuse_if_held("anchor");
    opinions_.allow_by(f_.subject, "namespaces.create");
  }

  void enter() {
    const bool stays = f_.target_known && f_.target.id == f_.held.id && !f_.held_in_several;
    if (!stays) refuse_if_held("locked");
    member_enters();
    visitor_enters();
    opinions_.allow_by(f_.subject, "namespaces.enter");
  }

  void member_enters() {
    const std::string how = enter_of(f_.subject);
    const bool own = f_.target_known && f_.target.id != 0 && f_.target.owner == f_.subject &&
                     (f_.started_in == 0 || f_.started_in == f_.target.id);
    if (how == "none") opinions_.deny(f_.subject, "namespaces.enter", "enter-none");
    if (how == "own" && !own)
      opinions_.deny(f_.subject, "namespaces.enter",
                     f_.target_known ? "not-own" : "target-unknown");
    if (how == "lock" && f_.target_known && f_.target.id != 0)
      opinions_.lock(f_.subject, "namespaces.enter", f_.target.id);
  }

  void visitor_enters() {
    if (!f_.target_known) return visitor_enters_unknown();
    if (f_.target.id == 0 || f_.target.owner == f_.subject) return;
    const std::string how = visitors_of(f_.target.owner);
    if (how == "deny") opinions_.deny(f_.target.owner, "namespaces.visitors", "visitors-deny");
    if (how == "lock") opinions_.lock(f_.target.owner, "namespaces.visitors", f_.target.id);
  }

  // It may be a namespace of any profile that takes no visitors.
  void visitor_enters_unknown() {
    std::string mode;
    for (const Profile& p : model_.profiles) {
      if (visitors_of(p.name) != "deny") continue;
      if (mode != "enforce") mode = opinions_.mode_of(p.name);
    }
    if (!mode.empty()) opinions_.deny_without_rule("target-unknown", mode);
  }

  void trace() {
    if (!f_.object_held_same) refuse_if_held("trace-outside");
    if (f_.object == f_.subject) return;
    if (enter_of(f_.subject) != "any")
      opinions_.deny(f_.subject, "namespaces.enter", "trace-outside");
    if (!creates_freely(f_.subject))
      opinions_.deny(f_.subject, "namespaces.create", "trace-outside");
  }

  static bool lists(const std::vector<policy::ProfileName>& names, const std::string& mover) {
    return std::any_of(names.begin(), names.end(),
                       [&](const auto& name) { return name.name == mover; });
  }

  void check_movers(const std::string& profile, const std::string& key, const std::string& reason,
                    const policy::Setting<policy::Movers>& movers) {
    if (movers && !movers->value.any && !lists(movers->value.names, f_.subject))
      opinions_.deny(profile, key, reason);
    opinions_.allow_by(profile, key);
  }

  void check_inside(const Profile& p) {
    if (p.cg_inside) {
      const policy::Inside& inside = p.cg_inside->value;
      const bool listed = inside.kind == HF_INSIDE_ANY || lists(inside.names, f_.subject);
      const bool delegated = inside.kind == HF_INSIDE_DELEGATED && f_.delegated;
      if (!listed && !delegated) opinions_.deny(p.name, "cgroups.inside", "inside");
    }
    opinions_.allow_by(p.name, "cgroups.inside");
  }

  void move() {
    const auto in = [](const std::vector<std::string>& chain, const std::string& profile) {
      return std::find(chain.begin(), chain.end(), profile) != chain.end();
    };
    bool met_common = false;
    for (const std::string& profile : f_.source) {
      const Profile& p = *find(profile);
      if (!in(f_.destination, profile)) {
        check_movers(profile, "cgroups.leave", "leave", p.cg_leave);
      } else if (!met_common) {
        met_common = true;
        check_inside(p);
      }
    }
    if (!f_.object.empty() && !in(f_.source, f_.object) && !in(f_.destination, f_.object))
      check_movers(f_.object, "cgroups.leave", "leave", find(f_.object)->cg_leave);
    for (const std::string& profile : f_.destination) {
      if (!in(f_.source, profile))
        check_movers(profile, "cgroups.join", "join", find(profile)->cg_join);
    }
  }

  // Without mark_by nobody may, and the mark's own line is the one to blame.
  void mark() {
    const Profile& p = *find(f_.object);
    const std::string key = p.mark_by ? "mark_by" : "mark";
    if (p.mark && !p.mark_by) opinions_.deny(p.name, key, "mark");
    if (p.mark && p.mark_by && !p.mark_by->value.any && !lists(p.mark_by->value.names, f_.subject))
      opinions_.deny(p.name, key, "mark");
    if (p.mark) opinions_.allow_by(p.name, key);
  }

  static bool meets(const std::vector<policy::LabelCondition>& conditions,
                    const std::vector<std::pair<std::string, std::string>>& labels) {
    return std::all_of(conditions.begin(), conditions.end(), [&](const policy::LabelCondition& c) {
      const auto at = std::find_if(labels.begin(), labels.end(),
                                   [&](const auto& l) { return l.first == c.name; });
      if (c.kind == HF_LABEL_ABSENT) return at == labels.end();
      return at != labels.end() && (c.kind == HF_LABEL_ANY || at->second == c.value);
    });
  }

  Outcome label() {
    const Profile* p = find(f_.subject);
    if (p == nullptr || !p->label_set) return opinions_.nothing("default", f_.subject);
    return opinions_.by_label_rule(*p, f_.label_listed);
  }

  Outcome socket() {
    const Profile* p = find(f_.subject);
    if (p == nullptr || p->sockets.empty()) return opinions_.nothing("default", f_.subject);
    if (f_.operation.empty() || f_.family.empty()) return opinions_.impossible("bad-request");
    for (std::size_t i = 0; i < p->sockets.size(); i++) {
      const policy::SocketRule& rule = p->sockets[i];
      const auto op = policy::value_of(policy::kSocketOpNames, f_.operation).value_or(0);
      const auto family =
          policy::value_of(policy::kFamilyNames, f_.family).value_or(HF_FAMILY_OTHER);
      if ((rule.ops & op) == 0 || (rule.families & family) == 0) continue;
      if (!meets(rule.own, f_.labels) || !meets(rule.peer, f_.peer_labels)) continue;
      return opinions_.by_socket_rule(*p, i);
    }
    return opinions_.nothing("default", f_.subject);
  }

  void bpf() {
    const Profile* p = find(f_.subject);
    if (p == nullptr || !p->bpf) return;
    const std::string list = f_.operation == "command"   ? "commands"
                             : f_.operation == "map"     ? "maps"
                             : f_.operation == "program" ? "programs"
                             : f_.operation == "attach"  ? "attachments"
                                                         : "";
    if (list.empty()) return opinions_.impossible_too("bad-request");
    const auto& mask = list == "commands"   ? p->bpf_commands
                       : list == "maps"     ? p->bpf_maps
                       : list == "programs" ? p->bpf_programs
                                            : p->bpf_attachments;
    const std::uint32_t value = f_.bpf_value;
    bool listed = false;
    if (mask && value < 64) listed = (mask->value.low >> value & 1) != 0;
    if (mask && value >= 64 && value < 128 && list == "attachments")
      listed = (mask->value.high >> (value - 64) & 1) != 0;
    const std::string key = "bpf.delegate." + list;
    const bool named = listed || list != "commands";
    if (list == "commands") {
      // The kernel asks a token for these four; a token itself is good for any command.
      const auto word = policy::name_of(policy::bpf_names(HF_VIA_BPF_COMMAND), value);
      const bool asked = word == "map_create" || word == "prog_load" || word == "btf_load" ||
                         word == "btf_get_fd_by_id";
      const bool any = mask && mask->value.low != 0;
      listed = listed || (word == "token_create" ? any : !asked && value < HF_BPF_KNOWN_COMMANDS);
    }
    const std::string where = "bpf.delegate.attach_to";
    const bool replaces_kernel =
        list == "maps" && policy::name_of(policy::bpf_names(HF_VIA_BPF_MAP), value) == "struct_ops";
    const bool confined = !p->bpf_attach_to || p->bpf_attach_to->value == 0;
    if (!listed) opinions_.deny(f_.subject, key, "bpf-delegate");
    if (confined && f_.bpf_foreign) opinions_.deny(f_.subject, where, "bpf-foreign");
    if (confined && (f_.bpf_outside || replaces_kernel))
      opinions_.deny(f_.subject, where, "bpf-attach-to");
    const auto& count = list == "maps" ? p->bpf_max_maps : p->bpf_max_programs;
    if (f_.over_quota && count)
      opinions_.deny(f_.subject, list == "maps" ? "bpf.quota.maps" : "bpf.quota.programs",
                     "bpf-quota");
    if (f_.over_memory && p->bpf_max_memory)
      opinions_.deny(f_.subject, "bpf.quota.memory", "bpf-quota");
    if (named) opinions_.allow_by(f_.subject, key);
  }

  const policy::Model& model_;
  const Facts& f_;
  Opinions opinions_;
};

}  // namespace

Outcome decide(const policy::Model& model, const Facts& facts) {
  return Interpreter(model, facts).decide();
}

std::string to_string(const Outcome& o) {
  return fmt::format("{} {} {} profile={} rule={}:{} set={:#x}{}", o.verdict, o.mode, o.reason,
                     o.profile, o.key, o.line, o.set, o.logged ? " logged" : "");
}

}  // namespace holdfast::reference
