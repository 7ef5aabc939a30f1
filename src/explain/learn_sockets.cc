// SPDX-License-Identifier: Apache-2.0
#include "explain/learn_sockets.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <tuple>

#include "events/event_file.h"
#include "policy/bpf_names.h"
#include "policy/enum_names.h"
#include "policy/toml_text.h"

namespace holdfast::policy {
namespace {

using Ids = EventIds;
using Labels = __u32[HF_MAX_LABEL_NAMES];

constexpr std::size_t kMaxLabelledRules = 200;  // if there are more, no rule has labels
// A label with more values than this is one that names a session or an instance: a rule with any
// value stands for all of them.
constexpr std::size_t kMaxValuesOfALabel = 8;

std::string comment(const Ids& ids) { return event_list(ids); }

// The conditions on a socket's labels, one for each name that occurs in any event. Empty if that is
// more than a rule can have; the rule then has no condition.
std::vector<std::string> conditions(const Labels& labels, const Compiled& names,
                                    const std::vector<bool>& changing) {
  if (names.label_names.size() > HF_MAX_LABEL_MATCHES) return {};
  std::vector<std::string> list;
  for (std::size_t i = 0; i < names.label_names.size(); i++) {
    std::string value = "\"*\"";
    if (labels[i] == HF_LABEL_ID_ABSENT) value = "false";
    if (labels[i] != HF_LABEL_ID_ABSENT && labels[i] < names.label_values.size() && !changing[i])
      value = toml_string(names.label_values[labels[i]]);
    list.push_back(fmt::format("{} = {}", toml_string(names.label_names[i]), value));
  }
  return list;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

struct Use {
  std::vector<std::string> own;
  std::vector<std::string> peer;
  std::uint32_t family = 0;  // one HF_FAMILY_*; 0: any, if the family has no name
  auto operator<=>(const Use&) const =
      default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
};

struct Used {
  std::uint32_t ops = 0;
  Ids ids;
};

enum class WithLabels { yes, no };

// The requests that have a peer with readable labels.
bool has_peer(const hf_request& r) {
  return r.sock_family == HF_FAMILY_UNIX &&
         (r.sock_op & (HF_SOCK_CONNECT | HF_SOCK_ACCEPT | HF_SOCK_SEND)) != 0;
}

bool listens(const hf_request& r) { return (r.sock_op & (HF_SOCK_LISTEN | HF_SOCK_ACCEPT)) != 0; }

// By the number of a label's name: does it have too many values to list them?
std::vector<bool> changing_labels(const std::vector<Seen>& seen, const Compiled& names) {
  std::vector<std::set<std::uint32_t>> values(names.label_names.size());
  for (const Seen& one : seen)
    for (std::size_t i = 0; i < values.size(); i++) {
      values[i].insert(one.request.own_labels[i]);
      values[i].insert(one.request.peer_labels[i]);
    }
  std::vector<bool> changing;
  changing.reserve(values.size());
  for (const auto& of : values) changing.push_back(of.size() > kMaxValuesOfALabel);
  return changing;
}

Use use_of(const hf_request& r, const Compiled& names, const std::vector<bool>& changing,
           WithLabels labels) {
  Use use;
  const bool odd = listens(r) && (r.sock_family & (HF_FAMILY_NETLINK | HF_FAMILY_PACKET)) != 0;
  if (!odd && !name_of(kFamilyNames, r.sock_family).empty()) use.family = r.sock_family;
  if (labels == WithLabels::no) return use;
  use.own = conditions(r.own_labels, names, changing);
  if (has_peer(r) && !odd) use.peer = conditions(r.peer_labels, names, changing);
  return use;
}

bool is_single_bit(std::uint32_t mask) { return std::has_single_bit(mask); }

std::map<Use, Used> uses(const std::vector<Seen>& seen, const Compiled& names,
                         std::uint16_t profile, WithLabels labels) {
  std::map<Use, Used> found;
  const std::vector<bool> changing = changing_labels(seen, names);
  for (const Seen& one : seen) {
    const hf_request& r = one.request;
    if (r.op != HF_OP_SOCKET || r.subject != profile) continue;
    // Any rule makes such a request refused.
    if (!is_single_bit(r.sock_op) || r.sock_op > HF_SOCK_OPS_ALL || r.sock_family == 0 ||
        (r.sock_family & HF_FAMILIES_ALL) == 0)
      return {};
    Used& used = found[use_of(r, names, changing, labels)];
    used.ops |= r.sock_op;
    used.ids.add(one.ids);
  }
  return found;
}

std::string op_list(std::uint32_t ops) {
  std::vector<std::string> words;
  for (const Name& op : kSocketOpNames)
    if ((ops & op.value) != 0) words.push_back(fmt::format("\"{}\"", op.text));
  return fmt::format("[{}]", joined(words));
}

std::string rule_text(const std::string& profile, const Use& use, const Used& used) {
  std::string text =
      fmt::format("[[profile.{}.socket]]\non = {}{}\n", toml_key(profile), op_list(used.ops),
                  used.ids.empty() ? "" : "  # " + comment(used.ids));
  if (use.family != 0)
    text += fmt::format("family = [\"{}\"]\n", name_of(kFamilyNames, use.family));
  if (!use.own.empty()) text += fmt::format("label = {{ {} }}\n", joined(use.own));
  if (!use.peer.empty()) text += fmt::format("peer = {{ {} }}\n", joined(use.peer));
  return text + "verdict = \"allow\"\n";
}

}  // namespace

std::string closing_rule(const std::string& profile, std::uint32_t ops) {
  return fmt::format(
      "\n[[profile.{}.socket]]\non = {}  # no event needs anything else\nverdict = \"deny\"\n",
      toml_key(profile), op_list(ops));
}

std::string allowing_rule(const hf_request& request, const Compiled& names) {
  const std::vector<bool> changing(names.label_names.size(), false);
  const std::string profile =
      request.subject < names.profiles.size() ? names.profiles[request.subject] : "";
  return rule_text(profile, use_of(request, names, changing, WithLabels::yes),
                   {request.sock_op, {}});
}

// More specific rules come first, because a general one before them would match everything.
std::string learned_sockets(const std::vector<Seen>& seen, const Compiled& names,
                            std::uint16_t profile, std::uint32_t ops, const std::string& rest) {
  std::map<Use, Used> found = uses(seen, names, profile, WithLabels::yes);
  if (found.size() > kMaxLabelledRules) found = uses(seen, names, profile, WithLabels::no);
  if (rest.empty())
    std::erase_if(found, [&](const auto& one) { return (one.second.ops & ops) == 0; });
  std::vector<std::pair<Use, Used>> rules(found.begin(), found.end());
  const auto weight = [](const Use& use) {
    return std::tuple(use.own.size() + use.peer.size(), use.family != 0);
  };
  std::stable_sort(rules.begin(), rules.end(),
                   [&](const auto& a, const auto& b) { return weight(a.first) > weight(b.first); });
  if (rules.empty()) return rest;
  const auto& [last, last_used] = rules.back();
  const bool everything =
      (ops & ~last_used.ops) == 0 && weight(last) == std::tuple(std::size_t{0}, false);
  if (everything) return "";
  const std::string& name = names.profiles[profile];
  std::string text;
  for (const auto& [use, used] : rules) text += "\n" + rule_text(name, use, used);
  if (!rest.empty()) return text + rest;
  return ops == 0 ? "" : text + closing_rule(name, ops);
}

std::string learned_bpf(const std::vector<Seen>& seen, const Compiled& names,
                        std::uint16_t profile) {
  constexpr std::pair<std::uint32_t, const char*> kLists[] = {{HF_VIA_BPF_COMMAND, "commands"},
                                                              {HF_VIA_BPF_MAP, "maps"},
                                                              {HF_VIA_BPF_PROGRAM, "programs"},
                                                              {HF_VIA_BPF_ATTACH, "attachments"}};
  std::map<std::uint32_t, std::map<std::string_view, Ids>> found;
  Ids reaching;  // events that need attach_to = "anywhere"
  for (const Seen& one : seen) {
    const hf_request& r = one.request;
    if (r.op != HF_OP_BPF || r.subject != profile) continue;
    const std::string_view word = name_of(bpf_names(r.via), r.bpf_value);
    if (word.empty()) return "";  // any list makes such a request refused
    found[r.via][word].add(one.ids);
    const bool replaces = r.via == HF_VIA_BPF_MAP && r.bpf_value == HF_BPF_MAP_STRUCT_OPS;
    if (replaces || (r.flags & (HF_REQ_BPF_OUTSIDE | HF_REQ_BPF_FOREIGN)) != 0)
      reaching.add(one.ids);
  }
  if (found.empty()) return "";
  std::string text = fmt::format("\n[profile.{}.bpf]\n", toml_key(names.profiles[profile]));
  if (!reaching.empty())
    text += fmt::format("delegate.attach_to = \"anywhere\"  # {}\n", comment(reaching));
  for (const auto& [way, key] : kLists) {
    if (!found.contains(way)) continue;
    text += fmt::format("delegate.{} = [\n", key);
    for (const auto& [word, ids] : found[way])
      text += fmt::format("  \"{}\",  # {}\n", word, comment(ids));
    text += "]\n";
  }
  return text;
}

}  // namespace holdfast::policy
