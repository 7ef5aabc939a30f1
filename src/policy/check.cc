// SPDX-License-Identifier: Apache-2.0
// Checks that names exist and are unique, that every rule can match, and limits.
#include "policy/check.h"

#include <fmt/core.h>

#include <map>
#include <set>

#include "policy/binding_check.h"
#include "policy/socket_check.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

class Checker {
 public:
  Checker(const Model& model, std::vector<Diagnostic>& diagnostics)
      : model_(model), diagnostics_(diagnostics) {}

  void check() {
    for (const Profile& profile : model_.profiles) define(profile);
    for (const Profile& profile : model_.profiles) check_profile(profile);
    check_bindings(model_, diagnostics_);
    check_sockets(model_, diagnostics_);
  }

 private:
  void error(const Span& where, std::string message, std::string hint = "") {
    diagnostics_.push_back({where, std::move(message), std::move(hint), ""});
  }

  void define(const Profile& profile) {
    const auto [at, added] = defined_.try_emplace(profile.name, &profile);
    if (!added)
      error(profile.where, fmt::format("profile '{}' is defined twice", profile.name),
            fmt::format("first at {}", at->second->where.place()));
    if (added && defined_.size() == HF_MAX_PROFILES + 1)
      error(profile.where, fmt::format("more than {} profiles", HF_MAX_PROFILES));
  }

  void check_movers(const std::vector<ProfileName>& names, const Span& where) {
    std::set<std::string_view> listed;
    for (const ProfileName& name : names) {
      listed.insert(name.name);
      if (defined_.contains(name.name) || !model_.complete) continue;
      std::vector<std::string_view> candidates;
      for (const auto& [candidate, profile] : defined_) candidates.push_back(candidate);
      error(name.where, fmt::format("profile '{}' is not defined", name.name),
            suggest(name.name, candidates));
    }
    if (mover_sets_.insert(listed).second && mover_sets_.size() == HF_MAX_MOVER_SETS + 1)
      error(where, fmt::format("more than {} different lists of movers", HF_MAX_MOVER_SETS));
  }

  void check_profile(const Profile& p) {
    if (p.ns_visitors && !(p.ns_track && p.ns_track->value))
      error(p.ns_visitors->where, "'visitors' can never apply: the profile tracks no namespaces",
            "add namespaces.track = true");
    if (p.cg_leave && !p.cg_leave->value.any)
      check_movers(p.cg_leave->value.names, p.cg_leave->where);
    if (p.cg_join && !p.cg_join->value.any) check_movers(p.cg_join->value.names, p.cg_join->where);
    if (p.cg_inside && p.cg_inside->value.kind != HF_INSIDE_ANY)
      check_movers(p.cg_inside->value.names, p.cg_inside->where);
    if (p.mark_by && !p.mark_by->value.any) check_movers(p.mark_by->value.names, p.mark_by->where);
    if (p.mark_by && !p.mark)
      error(p.mark_by->where, "'mark_by' can never apply: the profile has no mark",
            "add mark = \"trusted.NAME\"");
    if (!p.cgroups.empty() || p.mark) return;
    if (p.cg_join)
      error(p.cg_join->where, "'join' can never apply: the profile holds no cgroup",
            "add cgroup = \"/PATH\"");
    if (p.cg_inside)
      error(p.cg_inside->where, "'inside' can never apply: the profile holds no cgroup",
            "add cgroup = \"/PATH\"");
  }

  const Model& model_;
  std::vector<Diagnostic>& diagnostics_;
  std::map<std::string_view, const Profile*> defined_;
  std::set<std::set<std::string_view>> mover_sets_;
};

}  // namespace

void check_model(const Model& model, std::vector<Diagnostic>& diagnostics) {
  Checker(model, diagnostics).check();
}

}  // namespace holdfast::policy
