// SPDX-License-Identifier: Apache-2.0
#include "explain/changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>

#include "policy/bpf_names.h"

namespace holdfast::policy {
namespace {

std::string quoted(std::string_view word) { return fmt::format("\"{}\"", word); }

// The place of a statement that is not in any file.
template <typename T>
Stated<T> statement(const T& value, const std::string& text) {
  Stated<T> stated;
  stated.value = value;
  stated.text = text;
  return stated;
}

std::string list_text(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + quoted(word);
  return "[" + text + "]";
}

// A list in its original order, with one more element.
std::string with_word(const std::string& list, std::string_view word) {
  const std::string inside = list.substr(1, list.size() - 2);
  return "[" + inside + (inside.empty() ? "" : ", ") + quoted(word) + "]";
}

// The values of settings, from strict to loose.
constexpr std::array<std::uint32_t, 4> kEnterOrder = {HF_ENTER_NONE, HF_ENTER_OWN, HF_ENTER_LOCK,
                                                      HF_ENTER_ANY};
constexpr std::array<std::uint32_t, 3> kVisitorsOrder = {HF_VISITORS_DENY, HF_VISITORS_LOCK,
                                                         HF_VISITORS_ALLOW};
constexpr std::array<std::uint32_t, 2> kModeOrder = {HF_MODE_ENFORCE, HF_MODE_AUDIT};

class Changes {
 public:
  Changes(const Profile& profile, std::size_t index, const hf_request& request, std::string mover,
          Direction direction)
      : p_(profile), index_(index), r_(request), mover_(std::move(mover)), direction_(direction) {}

  std::vector<Candidate> all() {
    switch (r_.op) {
      case HF_OP_NAMESPACE_ALLOC:
      case HF_OP_NAMESPACE_INSTALL:
      case HF_OP_TRACE:
        namespaces();
        break;
      case HF_OP_CGROUP_ATTACH:
        cgroups();
        break;
      case HF_OP_MARK:
        if (p_.mark) marks();
        break;
      case HF_OP_SOCKET:
        sockets();
        break;
      case HF_OP_BPF:
        bpf();
        break;
      default:
        break;
    }
    mode();
    return std::move(found_);
  }

 private:
  template <typename T>
  void set(Setting<T> Profile::*field, std::string key, std::string text, T value) {
    const Setting<T>& old = p_.*field;
    if (old && old->text == text) return;
    const Span where = old ? old->where : Span{};
    found_.push_back({index_, std::move(key), text, where,
                      [field, value, text](Profile& p) { p.*field = statement(value, text); }});
  }

  template <typename T>
  void remove(Setting<T> Profile::*field, std::string key) {
    const Setting<T>& old = p_.*field;
    if (!old) return;
    found_.push_back(
        {index_, std::move(key), "", old->where, [field](Profile& p) { (p.*field).reset(); }});
  }

  // Loosening starts at the strictest value and tightening at the loosest. So the first value that
  // works is the smallest change.
  void words(Setting<std::uint8_t> Profile::*field, const std::string& key, Names names,
             std::span<const std::uint32_t> order) {
    for (std::size_t i = 0; i < order.size(); i++) {
      const std::uint32_t value = order[direction_ == Direction::loosen ? i : order.size() - 1 - i];
      set(field, key, quoted(name_of(names, value)), static_cast<std::uint8_t>(value));
    }
  }

  void types(std::uint32_t mask) {
    if (mask == HF_NS_ALL)
      return set(&Profile::ns_create, "namespaces.create", quoted("any"), mask);
    std::vector<std::string> listed;
    for (const Name& name : kNsTypeNames) {
      if ((mask & name.value) != 0) listed.emplace_back(name.text);
    }
    set(&Profile::ns_create, "namespaces.create", list_text(listed), mask);
  }

  // The list with the requested types, in its original order.
  void more_types() {
    const std::uint32_t now = p_.ns_create ? p_.ns_create->value : HF_NS_ALL;
    std::string text =
        p_.ns_create && p_.ns_create->text.starts_with('[') ? p_.ns_create->text : "[]";
    for (const Name& name : kNsTypeNames) {
      if ((r_.ns_types & ~now & name.value) != 0) text = with_word(text, name.text);
    }
    set(&Profile::ns_create, "namespaces.create", text, now | (r_.ns_types & HF_NS_ALL));
  }

  void namespaces() {
    const std::uint32_t now = p_.ns_create ? p_.ns_create->value : HF_NS_ALL;
    if (r_.op == HF_OP_NAMESPACE_ALLOC) {
      if (direction_ == Direction::loosen) more_types();
      if (direction_ == Direction::tighten) types(now & ~r_.ns_types);
    } else {
      words(&Profile::ns_enter, "namespaces.enter", kEnterNames, kEnterOrder);
    }
    if (p_.ns_track && p_.ns_track->value)
      words(&Profile::ns_visitors, "namespaces.visitors", kVisitorsNames, kVisitorsOrder);
    if (r_.op != HF_OP_NAMESPACE_ALLOC) types(HF_NS_ALL);
    if (r_.op == HF_OP_NAMESPACE_ALLOC)
      words(&Profile::ns_enter, "namespaces.enter", kEnterNames, kEnterOrder);
  }

  void movers(Setting<Movers> Profile::*field, const std::string& key) {
    const Setting<Movers>& old = p_.*field;
    Movers changed;
    changed.any = false;
    if (old) changed.names = old->value.names;
    std::vector<std::string> listed;
    for (const ProfileName& name : changed.names) listed.push_back(name.name);
    const auto at = std::find(listed.begin(), listed.end(), mover_);
    if (at == listed.end() && !mover_.empty() && old && !old->value.any) {
      listed.push_back(mover_);
      changed.names.push_back({mover_, {}});
      set(field, key, list_text(listed), changed);
    } else if (at != listed.end()) {
      changed.names.erase(changed.names.begin() + (at - listed.begin()));
      listed.erase(at);
      set(field, key, list_text(listed), changed);
    }
    set(field, key, "[]", Movers{false, {}});
    set(field, key, quoted("any"), Movers{});
  }

  void cgroups() {
    movers(&Profile::cg_leave, "cgroups.leave");
    movers(&Profile::cg_join, "cgroups.join");
    set(&Profile::cg_inside, "cgroups.inside", quoted("delegated"),
        Inside{HF_INSIDE_DELEGATED, {}});
    if (!mover_.empty()) inside_by_mover();
    set(&Profile::cg_inside, "cgroups.inside", "[]", Inside{HF_INSIDE_LIST, {}});
    set(&Profile::cg_inside, "cgroups.inside", quoted("any"), Inside{});
  }

  // Without a setting no profile may change a mark.
  void marks() {
    if (!p_.mark_by && !mover_.empty())
      set(&Profile::mark_by, "mark_by", list_text({mover_}), Movers{false, {{mover_, {}}}});
    movers(&Profile::mark_by, "mark_by");
  }

  // The list, with the mover added.
  void inside_by_mover() {
    Inside changed{HF_INSIDE_LIST, {}};
    if (p_.cg_inside && p_.cg_inside->value.kind != HF_INSIDE_ANY) changed = p_.cg_inside->value;
    changed.names.push_back({mover_, {}});
    std::vector<std::string> listed;
    for (const ProfileName& name : changed.names) listed.push_back(name.name);
    if (changed.kind == HF_INSIDE_DELEGATED) listed.push_back("delegated");
    set(&Profile::cg_inside, "cgroups.inside", list_text(listed), changed);
  }

  void sockets() {
    for (std::size_t i = 0; i < p_.sockets.size(); i++) {
      const SocketRule& rule = p_.sockets[i];
      for (const Name& name : kSocketVerdictNames) {
        if (rule.verdict == name.value) continue;
        const auto verdict = static_cast<std::uint8_t>(name.value);
        found_.push_back({index_, fmt::format("socket[{}]", i + 1), quoted(name.text), rule.where,
                          [i, verdict](Profile& p) { p.sockets[i].verdict = verdict; }});
      }
      found_.push_back({index_, fmt::format("socket[{}]", i + 1), "", rule.where, [i](Profile& p) {
                          p.sockets.erase(p.sockets.begin() + static_cast<std::ptrdiff_t>(i));
                        }});
    }
    new_socket_rule(HF_SOCK_DENY);
  }

  // A new first rule, for just this operation and family.
  void new_socket_rule(std::uint8_t verdict) {
    SocketRule rule;
    rule.ops = r_.sock_op;
    rule.families = r_.sock_family;
    rule.verdict = verdict;
    const std::string text =
        fmt::format("{{ on = [\"{}\"], family = [\"{}\"], verdict = \"{}\" }}",
                    name_of(kSocketOpNames, r_.sock_op), name_of(kFamilyNames, r_.sock_family),
                    name_of(kSocketVerdictNames, verdict));
    found_.push_back({index_, "socket[1]", text, Span(),
                      [rule](Profile& p) { p.sockets.insert(p.sockets.begin(), rule); }});
  }

  Setting<BpfMask> BpfDelegate::*bpf_field(std::string& key) const {
    switch (r_.via) {
      case HF_VIA_BPF_MAP:
        key = "bpf.delegate.maps";
        return &BpfDelegate::maps;
      case HF_VIA_BPF_PROGRAM:
        key = "bpf.delegate.programs";
        return &BpfDelegate::programs;
      case HF_VIA_BPF_ATTACH:
        key = "bpf.delegate.attachments";
        return &BpfDelegate::attachments;
      default:
        key = "bpf.delegate.commands";
        return &BpfDelegate::commands;
    }
  }

  static std::string mask_words(const BpfMask& mask, Names names) {
    std::vector<std::string> listed;
    std::uint32_t last = ~0u;
    for (const Name& name : names) {
      const std::uint64_t bits = name.value < 64 ? mask.low : mask.high;
      if ((bits >> (name.value % 64) & 1) != 0 && name.value != last)
        listed.emplace_back(name.text);
      last = name.value;
    }
    return list_text(listed);
  }

  void attach_to(std::uint8_t value) {
    const std::string text = quoted(name_of(kAttachToNames, value));
    if (!p_.bpf || (p_.bpf->attach_to && p_.bpf->attach_to->value == value)) return;
    const Span where = p_.bpf->attach_to ? p_.bpf->attach_to->where : Span{};
    found_.push_back({index_, "bpf.delegate.attach_to", text, where,
                      [value, text](Profile& p) { p.bpf->attach_to = statement(value, text); }});
  }

  void no_quota(Setting<std::uint64_t> BpfDelegate::*field, std::string key) {
    if (!p_.bpf || !((*p_.bpf).*field)) return;
    found_.push_back({index_, std::move(key), "", ((*p_.bpf).*field)->where,
                      [field](Profile& p) { ((*p.bpf).*field).reset(); }});
  }

  // These flags are about the place of an attachment and about quotas, not about a list.
  void bpf() {
    const bool loosen = direction_ == Direction::loosen;
    if (loosen && (r_.flags & HF_REQ_OVER_MEMORY))
      no_quota(&BpfDelegate::max_memory, "bpf.quota.memory");
    if (loosen && (r_.flags & HF_REQ_OVER_QUOTA)) {
      if (r_.via == HF_VIA_BPF_MAP)
        no_quota(&BpfDelegate::max_maps, "bpf.quota.maps");
      else
        no_quota(&BpfDelegate::max_programs, "bpf.quota.programs");
    }
    if (loosen) attach_to(HF_ATTACH_ANYWHERE);
    bpf_list();
    if (!loosen) attach_to(HF_ATTACH_OWN_CGROUP);
  }

  // The mask with the value toggled.
  void bpf_list() {
    std::string key;
    const auto field = bpf_field(key);
    BpfMask mask;
    Span where;
    std::string old_text = "[]";
    if (p_.bpf && (*p_.bpf).*field) {
      mask = ((*p_.bpf).*field)->value;
      where = ((*p_.bpf).*field)->where;
      old_text = ((*p_.bpf).*field)->text;
    }
    if (r_.bpf_value >= 128) return;
    (r_.bpf_value < 64 ? mask.low : mask.high) ^= std::uint64_t{1} << (r_.bpf_value % 64);
    const std::string_view word = name_of(bpf_names(r_.via), r_.bpf_value);
    std::string text = mask_words(mask, bpf_names(r_.via));
    if (direction_ == Direction::loosen && !word.empty() && old_text.starts_with('['))
      text = with_word(old_text, word);
    found_.push_back({index_, key, text, where, [field, mask, text](Profile& p) {
                        if (!p.bpf) p.bpf.emplace();
                        (*p.bpf).*field = statement(mask, text);
                      }});
  }

  // A mode at the top of the file is not a statement of this profile.
  void mode() {
    const std::size_t first = found_.size();
    words(&Profile::mode, "mode", kModeNames, kModeOrder);
    for (std::size_t i = first; i < found_.size(); i++) {
      if (p_.mode && p_.mode->where.line < p_.where.line) found_[i].where = Span();
    }
  }

  const Profile& p_;
  std::size_t index_;
  const hf_request& r_;
  std::string mover_;
  Direction direction_;
  std::vector<Candidate> found_;
};

}  // namespace

std::vector<Candidate> changes_of(const Profile& profile, std::size_t index,
                                  const hf_request& request, const std::string& mover,
                                  Direction direction) {
  return Changes(profile, index, request, mover, direction).all();
}

}  // namespace holdfast::policy
