// SPDX-License-Identifier: Apache-2.0
#include "explain/exposure.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "core/abi.h"
#include "policy/cgroup_path.h"
#include "policy/enum_names.h"

namespace holdfast::policy {
namespace {

// A list of movers is an exception for a few.
constexpr double kSomeMovers = 0.2;

struct Found {
  double open;
  std::string why;
};

Found create(const Profile* p) {
  if (p == nullptr || !p->ns_create || p->ns_create->value == HF_NS_ALL)
    return {1, "it may make namespaces of every type"};
  const std::uint32_t types = p->ns_create->value;
  if (types == 0) return {0, "it may make no namespaces"};
  return {static_cast<double>(std::popcount(types)) / HF_NS_COUNT,
          fmt::format("it may make namespaces of type {}", mask_text(kNsTypeNames, types, ", "))};
}

Found enter(const Profile* p) {
  if (p == nullptr || !p->ns_enter || p->ns_enter->value == HF_ENTER_ANY)
    return {1, "it may enter the namespaces of others"};
  return {0, "it may not enter the namespaces of others"};
}

Found visitors(const Profile* p) {
  const bool tracks = p != nullptr && p->ns_track && p->ns_track->value;
  const std::uint8_t visitors =
      tracks && p->ns_visitors ? p->ns_visitors->value : std::uint8_t{HF_VISITORS_ALLOW};
  if (visitors == HF_VISITORS_DENY) return {0, "others may not enter its namespaces"};
  if (visitors == HF_VISITORS_LOCK) return {0.1, "who enters its namespaces stays in them"};
  return {1, "others may enter its namespaces and leave again"};
}

Found movers(const Setting<Movers>* setting, std::string_view what) {
  if (setting == nullptr || !*setting || (*setting)->value.any)
    return {1, fmt::format("any task may {}", what)};
  const std::size_t count = (*setting)->value.names.size();
  if (count == 0) return {0, fmt::format("no task may {}", what)};
  return {kSomeMovers, fmt::format("only members of {} may {}", (*setting)->text, what)};
}

Found inside(const Profile* p) {
  if (p == nullptr || !p->cg_inside || p->cg_inside->value.kind == HF_INSIDE_ANY)
    return {1, "any task may move its tasks within its cgroup"};
  if (p->cg_inside->value.kind == HF_INSIDE_DELEGATED)
    return {kSomeMovers, "its tasks are moved within delegated subtrees only"};
  return {p->cg_inside->value.names.empty() ? 0 : kSomeMovers,
          "only named movers move its tasks within its cgroup"};
}

// An operation is restricted if a rule refuses or limits it in some case.
Found sockets(const Profile* p) {
  std::uint32_t ruled = 0;
  if (p != nullptr)
    for (const SocketRule& rule : p->sockets)
      if (rule.verdict != HF_SOCK_ALLOW) ruled |= rule.ops;
  const std::uint32_t open = HF_SOCK_OPS_ALL & ~ruled;
  if (ruled == 0) return {1, "no rule restricts its sockets"};
  if (open == 0) return {0, "rules restrict its sockets"};
  return {
      static_cast<double>(std::popcount(open)) / std::popcount(HF_SOCK_OPS_ALL),
      fmt::format("no rule restricts {} of its sockets", mask_text(kSocketOpNames, open, ", "))};
}

Found mark(const Profile& p) {
  if (!p.mark_by || p.mark_by->value.any)
    return {1, fmt::format("any task may change the mark {}", p.mark->value)};
  return {p.mark_by->value.names.empty() ? 0 : kSomeMovers,
          fmt::format("few tasks may change the mark {}", p.mark->value)};
}

class Findings {
 public:
  explicit Findings(bool audits) : audits_(audits) {}

  // What a rule forbids.
  void rule(std::string_view id, double weight, Found found) {
    if (audits_ && found.open < 1) found = {1, found.why + ", but this is only reported"};
    list.push_back({id, weight, found.open, std::move(found.why)});
  }
  void state(std::string_view id, double weight, bool open, std::string_view bad,
             std::string_view good) {
    list.push_back({id, weight, open ? 1.0 : 0.0, std::string(open ? bad : good)});
  }

  std::vector<Finding> list;

 private:
  bool audits_;
};

}  // namespace

Exposure exposure_of(const Model& model, const Compiled& policy, std::string_view cgroup,
                     const std::optional<UnitState>& state) {
  Exposure result;
  const auto profiles = profiles_of_cgroup(policy, cgroup);
  const Profile* p = nullptr;
  bool audits = false;
  if (!profiles.empty()) {
    result.profile = policy.profiles[profiles[0]];
    audits = policy.tables->profiles[profiles[0]].mode == HF_MODE_AUDIT;
    const auto at = std::ranges::find(model.profiles, result.profile, &Profile::name);
    if (at != model.profiles.end()) p = &*at;
  }
  Findings all(audits);
  all.rule("namespaces.create", 2, create(p));
  all.rule("namespaces.enter", 2, enter(p));
  all.rule("namespaces.visitors", 0.5, visitors(p));
  all.rule("cgroups.leave", 1.5,
           movers(p == nullptr ? nullptr : &p->cg_leave, "take its tasks out of its cgroup"));
  all.rule("cgroups.join", 1,
           movers(p == nullptr ? nullptr : &p->cg_join, "bring tasks into its cgroup"));
  all.rule("cgroups.inside", 0.5, inside(p));
  all.rule("socket", 1.5, sockets(p));
  if (p != nullptr && p->mark) all.rule("mark_by", 0.5, mark(*p));
  if (state && state->processes != 0) {
    all.state("capabilities", 1, state->has_admin, "it has CAP_SYS_ADMIN",
              "it has no CAP_SYS_ADMIN");
    all.state("user", 0.5, state->has_root, "it runs as root", "it does not run as root");
    all.state("seccomp", 0.5, state->unfiltered, "a process of it has no seccomp filter",
              "a seccomp filter limits its system calls");
  }
  if (state)
    all.state("delegation", 0.3, state->delegated,
              "its cgroup is delegated: it makes cgroups below", "its cgroup is not delegated");
  double open = 0, weight = 0;
  for (const Finding& one : all.list) {
    open += one.weight * one.open;
    weight += one.weight;
  }
  result.score = 10 * open / weight;
  result.findings = std::move(all.list);
  return result;
}

std::string_view word_for_exposure(double score) {
  if (score < 2) return "safe";
  if (score < 4.5) return "ok";
  if (score < 7) return "medium";
  return score < 9 ? "exposed" : "unsafe";
}

}  // namespace holdfast::policy
