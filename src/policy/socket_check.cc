// SPDX-License-Identifier: Apache-2.0
// The first socket rule that matches decides. So a rule that comes after a more general one never
// decides. Each rule is compared with each earlier one. The check does not find a rule that only
// several earlier ones cover together.
#include "policy/socket_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace holdfast::policy {
namespace {

constexpr std::uint16_t kFamiliesThatListen =
    HF_FAMILIES_ALL & ~(HF_FAMILY_NETLINK | HF_FAMILY_PACKET);
constexpr std::uint16_t kOpsWithPeer = HF_SOCK_CONNECT | HF_SOCK_ACCEPT | HF_SOCK_SEND;

// Does every socket that satisfies `given` also satisfy `wanted`?
bool implies(const LabelCondition& given, const LabelCondition& wanted) {
  if (given.name != wanted.name) return false;
  if (wanted.kind == HF_LABEL_ANY) return given.kind != HF_LABEL_ABSENT;
  return given.kind == wanted.kind && given.value == wanted.value;
}

bool all_implied(const std::vector<LabelCondition>& wanted,
                 const std::vector<LabelCondition>& given) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const LabelCondition& want) {
    return std::any_of(given.begin(), given.end(),
                       [&](const auto& have) { return implies(have, want); });
  });
}

bool wants_peer_label(const SocketRule& rule) {
  return std::any_of(rule.peer.begin(), rule.peer.end(), [](const LabelCondition& condition) {
    return condition.kind != HF_LABEL_ABSENT;
  });
}

class SocketChecker {
 public:
  explicit SocketChecker(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  void check_profile(const Profile& profile) {
    const auto& rules = profile.sockets;
    for (std::size_t i = 0; i < rules.size() && i < HF_MAX_PROFILE_SOCKET_RULES; i++) {
      check_rule(rules[i]);
      check_shadowed(rules, i);
    }
    if (rules.size() > HF_MAX_PROFILE_SOCKET_RULES)
      error(rules[HF_MAX_PROFILE_SOCKET_RULES].where,
            fmt::format("more than {} socket rules in one profile", HF_MAX_PROFILE_SOCKET_RULES));
    const bool fitted = count_ <= HF_MAX_SOCKET_RULES;
    count_ += rules.size();
    if (fitted && count_ > HF_MAX_SOCKET_RULES)
      error(rules.back().where, fmt::format("more than {} socket rules", HF_MAX_SOCKET_RULES));
  }

 private:
  void error(const Span& where, std::string message, std::string hint = "") {
    diagnostics_.push_back({where, std::move(message), std::move(hint), ""});
  }

  void check_rule(const SocketRule& rule) {
    count_labels(rule.own, rule.where);
    count_labels(rule.peer, rule.where);
    if (!rule.sound) return;  // the reader has reported it
    if ((rule.ops & ~(HF_SOCK_LISTEN | HF_SOCK_ACCEPT)) == 0 &&
        (rule.families & kFamiliesThatListen) == 0)
      error(rule.where,
            "this rule can never match: netlink and packet sockets do not listen or accept");
    if (!wants_peer_label(rule)) return;
    if ((rule.families & HF_FAMILY_UNIX) == 0)
      error(rule.where,
            "this rule can never match: only a unix socket has a peer whose label can be read",
            "add \"unix\" to 'family', or leave 'peer' out");
    if ((rule.ops & kOpsWithPeer) == 0)
      error(rule.where,
            "this rule can never match: a socket that binds or listens has no peer yet");
  }

  void check_shadowed(const std::vector<SocketRule>& rules, std::size_t index) {
    const SocketRule& rule = rules[index];
    if (!rule.sound) return;
    for (std::size_t i = 0; i < index; i++) {
      if (!rules[i].sound || !covers(rules[i], rule)) continue;
      // A drop-in overrides rules of its file.
      if (rules[i].drop_in && rules[i].where.file != rule.where.file) continue;
      return error(rule.where,
                   fmt::format("this rule can never match: socket[{}] matches first", i + 1),
                   fmt::format("see {}", rules[i].where.place()));
    }
  }

  void count_labels(const std::vector<LabelCondition>& conditions, const Span& where) {
    for (const LabelCondition& condition : conditions) {
      if (names_.insert(condition.name).second && names_.size() == HF_MAX_LABEL_NAMES + 1)
        error(where, fmt::format("more than {} different label names", HF_MAX_LABEL_NAMES));
      if (condition.kind != HF_LABEL_VALUE) continue;
      if (values_.insert(condition.value).second && values_.size() == HF_MAX_LABEL_VALUES + 1)
        error(where, fmt::format("more than {} different label values", HF_MAX_LABEL_VALUES));
    }
  }

  std::vector<Diagnostic>& diagnostics_;
  std::size_t count_ = 0;
  std::set<std::string> names_;
  std::set<std::string> values_;
};

}  // namespace

bool covers(const SocketRule& general, const SocketRule& special) {
  return (special.ops & ~general.ops) == 0 && (special.families & ~general.families) == 0 &&
         all_implied(general.own, special.own) && all_implied(general.peer, special.peer);
}

void check_sockets(const Model& model, std::vector<Diagnostic>& diagnostics) {
  SocketChecker checker(diagnostics);
  for (const Profile& profile : model.profiles) checker.check_profile(profile);
}

}  // namespace holdfast::policy
