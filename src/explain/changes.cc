// SPDX-License-Identifier: Apache-2.0
#include "explain/changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <type_traits>

#include "explain/subjects.h"
#include "policy/keys.h"

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

class Changes {
 public:
  Changes(const Profile& profile, std::size_t index, const hf_request& request, std::string mover,
          Direction direction)
      : p_(profile), index_(index), r_(request), mover_(std::move(mover)), direction_(direction) {}

  // Candidates that another key forbids (visitors without track) are thrown away when they are
  // tried.
  std::vector<Candidate> all() {
    const auto subjects = subjects_of(r_);
    for (const Key& key : kKeys)
      if (std::ranges::find(subjects, key.about, &Subjects::about) != subjects.end()) add(key);
    for (const Key& key : kKeys)
      if (key.about == About::mode) mode(key);
    return std::move(found_);
  }

 private:
  void add(const Key& key) {
    std::visit(ByType{
                   [&](const WordKey& t) { words(key, t); },
                   [&](const TypesKey& t) { types(key, t); },
                   [&](const FlagKey& t) { flag(key, t); },
                   [&](const MoversKey& t) { movers(key, t); },
                   [&](const InsideKey& t) { inside(key, t); },
                   [&](const BpfMaskKey& t) { bpf_list(key, t); },
                   [&](const CountKey& t) { no_quota(key, t); },
                   [&](const BytesKey& t) { no_quota(key, t); },
                   [&](const SocketRulesKey&) { sockets(); },
                   [](const auto&) {},
               },
               key.type);
  }

  template <typename T>
  void set(Setting<T> Profile::*field, const Key& key, const std::string& text,
           const std::type_identity_t<T>& value) {
    const Setting<T>& old = p_.*field;
    if (old && old->text == text) return;
    const Span where = old ? old->where : Span{};
    found_.push_back({index_, std::string(key.name), text, where,
                      [field, value, text](Profile& p) { p.*field = statement(value, text); }});
  }

  // Loosening starts at the strictest value and tightening at the loosest. So the first value that
  // works is the smallest change. No bpf section is added for a word alone.
  void words(const Key& key, const WordKey& type) {
    if (key.about == About::bpf && !p_.bpf) return;
    const std::size_t count = type.words.size();
    for (std::size_t i = 0; i < count; i++) {
      const std::uint8_t value = type.order[direction_ == Direction::loosen ? i : count - 1 - i];
      set(type.setting, key, quoted(name_of(type.words, value)), value);
    }
  }

  void flag(const Key& key, const FlagKey& type) {
    for (const bool value : {false, true}) set(type.setting, key, value ? "true" : "false", value);
  }

  // A list matters to what is made; what is entered or traced, only as a whole.
  void types(const Key& key, const TypesKey& type) {
    const Setting<std::uint32_t>& old = p_.*type.setting;
    const std::uint32_t now = old ? old->value : HF_NS_ALL;
    if (r_.op != HF_OP_NAMESPACE_ALLOC)
      set(type.setting, key, quoted("any"), HF_NS_ALL);
    else if (direction_ == Direction::loosen)
      more_types(key, type, now);
    else
      fewer_types(key, type, now & ~r_.ns_types);
  }

  void fewer_types(const Key& key, const TypesKey& type, std::uint32_t mask) {
    if (mask == HF_NS_ALL) return set(type.setting, key, quoted("any"), mask);
    std::vector<std::string> listed;
    for (const Name& name : kNsTypeNames) {
      if ((mask & name.value) != 0) listed.emplace_back(name.text);
    }
    set(type.setting, key, list_text(listed), mask);
  }

  // The list with the requested types, in its original order.
  void more_types(const Key& key, const TypesKey& type, std::uint32_t now) {
    const Setting<std::uint32_t>& old = p_.*type.setting;
    std::string text = old && old->text.starts_with('[') ? old->text : "[]";
    for (const Name& name : kNsTypeNames) {
      if ((r_.ns_types & ~now & name.value) != 0) text = with_word(text, name.text);
    }
    set(type.setting, key, text, now | (r_.ns_types & HF_NS_ALL));
  }

  static std::vector<std::string> names_in(const std::vector<ProfileName>& names) {
    std::vector<std::string> listed;
    for (const ProfileName& name : names) listed.push_back(name.name);
    return listed;
  }

  // The list with the mover, or without it when it is there.
  void movers(const Key& key, const MoversKey& type) {
    const Setting<Movers>& old = p_.*type.setting;
    Movers changed;
    changed.any = false;
    if (old) changed.names = old->value.names;
    std::vector<std::string> listed = names_in(changed.names);
    const auto at = std::find(listed.begin(), listed.end(), mover_);
    const bool lists_any = old ? old->value.any : key.fallback == "any";
    if (at == listed.end() && !mover_.empty() && !lists_any) {
      listed.push_back(mover_);
      changed.names.push_back({mover_, {}});
      set(type.setting, key, list_text(listed), changed);
    } else if (at != listed.end()) {
      changed.names.erase(changed.names.begin() + (at - listed.begin()));
      listed.erase(at);
      set(type.setting, key, list_text(listed), changed);
    }
    set(type.setting, key, "[]", Movers{false, {}});
    set(type.setting, key, quoted("any"), Movers{});
  }

  void inside(const Key& key, const InsideKey& type) {
    set(type.setting, key, quoted("delegated"), Inside{HF_INSIDE_DELEGATED, {}});
    if (!mover_.empty()) inside_by_mover(key, type);
    set(type.setting, key, "[]", Inside{HF_INSIDE_LIST, {}});
    set(type.setting, key, quoted("any"), Inside{});
  }

  // The list, with the mover added.
  void inside_by_mover(const Key& key, const InsideKey& type) {
    const Setting<Inside>& old = p_.*type.setting;
    Inside changed{HF_INSIDE_LIST, {}};
    if (old && old->value.kind != HF_INSIDE_ANY) changed = old->value;
    changed.names.push_back({mover_, {}});
    std::vector<std::string> listed = names_in(changed.names);
    if (changed.kind == HF_INSIDE_DELEGATED) listed.push_back("delegated");
    set(type.setting, key, list_text(listed), changed);
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

  // What the request's flags say is how much there is, not what a list holds.
  void no_quota(const Key& key, const QuotaKey& type) {
    const Setting<std::uint64_t>& old = p_.*type.setting;
    const std::uint32_t counted = r_.via == HF_VIA_BPF_MAP ? HF_QUOTA_MAPS : HF_QUOTA_PROGRAMS;
    const std::uint32_t over = type.quota == HF_QUOTA_MEMORY ? HF_REQ_OVER_MEMORY
                               : type.quota == counted       ? HF_REQ_OVER_QUOTA
                                                             : 0;
    if (!old || direction_ != Direction::loosen || (r_.flags & over) == 0) return;
    found_.push_back({index_, std::string(key.name), "", old->where,
                      [field = type.setting](Profile& p) { (p.*field).reset(); }});
  }

  // The mask with the value toggled. A request about no map, program or attachment is about a
  // command.
  void bpf_list(const Key& key, const BpfMaskKey& type) {
    const std::uint32_t way = bpf_names(r_.via).empty() ? HF_VIA_BPF_COMMAND : r_.via;
    if (type.way != way || r_.bpf_value >= 128) return;
    const Setting<BpfMask>& old = p_.*type.setting;
    BpfMask mask = old ? old->value : BpfMask{};
    const Span where = old ? old->where : Span{};
    const std::string old_text = old ? old->text : "[]";
    (r_.bpf_value < 64 ? mask.low : mask.high) ^= std::uint64_t{1} << (r_.bpf_value % 64);
    const std::string_view word = name_of(bpf_names(r_.via), r_.bpf_value);
    std::string text = mask_words(mask, bpf_names(r_.via));
    if (direction_ == Direction::loosen && !word.empty() && old_text.starts_with('['))
      text = with_word(old_text, word);
    found_.push_back({index_, std::string(key.name), text, where,
                      [field = type.setting, mask, text](Profile& p) {
                        if (!p.bpf) p.bpf.emplace();
                        p.*field = statement(mask, text);
                      }});
  }

  // A mode at the top of the file is not a statement of this profile.
  void mode(const Key& key) {
    const std::size_t first = found_.size();
    add(key);
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
