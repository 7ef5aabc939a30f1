// SPDX-License-Identifier: Apache-2.0
#include "policy/check.h"

#include <fmt/core.h>

#include <map>

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

  void check_names(const std::vector<ProfileName>& names) {
    for (const ProfileName& name : names) {
      if (defined_.contains(name.name)) continue;
      std::vector<std::string_view> candidates;
      for (const auto& [candidate, profile] : defined_) candidates.push_back(candidate);
      error(name.where, fmt::format("profile '{}' is not defined", name.name),
            suggest(name.name, candidates));
    }
  }

  void check_profile(const Profile& p) {
    if (p.cg_leave) check_names(p.cg_leave->value.names);
    if (p.cg_join) check_names(p.cg_join->value.names);
    if (p.cg_inside) check_names(p.cg_inside->value.names);
  }

  const Model& model_;
  std::vector<Diagnostic>& diagnostics_;
  std::map<std::string_view, const Profile*> defined_;
};

}  // namespace

void check_model(const Model& model, std::vector<Diagnostic>& diagnostics) {
  Checker(model, diagnostics).check();
}

}  // namespace holdfast::policy
