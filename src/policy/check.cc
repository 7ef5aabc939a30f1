// SPDX-License-Identifier: Apache-2.0
// Checks that names exist and are unique, that every rule can match, and limits.
#include "policy/check.h"

#include <fmt/core.h>

#include <map>
#include <set>

#include "policy/binding_check.h"
#include "policy/keys.h"
#include "policy/socket_check.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

class Checker {
 public:
  Checker(const Model& model, std::vector<Diagnostic>& diagnostics,
          std::set<std::string>* undefined)
      : model_(model), diagnostics_(diagnostics), undefined_(undefined) {}

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
    const bool added = defined_.try_emplace(profile.name, &profile).second;
    if (added && defined_.size() == HF_MAX_PROFILES + 1)
      error(profile.where, fmt::format("more than {} profiles", HF_MAX_PROFILES));
  }

  void check_movers(const std::vector<ProfileName>& names, const Span& where) {
    std::set<std::string_view> listed;
    for (const ProfileName& name : names) {
      listed.insert(name.name);
      if (defined_.contains(name.name)) continue;
      if (undefined_ != nullptr) undefined_->insert(name.name);
      if (!model_.complete) continue;
      std::vector<std::string_view> candidates;
      for (const auto& [candidate, profile] : defined_) candidates.push_back(candidate);
      error(name.where, fmt::format("profile '{}' is not defined", name.name),
            suggest(name.name, candidates));
    }
    if (mover_sets_.insert(listed).second && mover_sets_.size() == HF_MAX_MOVER_SETS + 1)
      error(where, fmt::format("more than {} different lists of movers", HF_MAX_MOVER_SETS));
  }

  static std::string_view lacking(Needs needs, const Profile& p) {
    switch (needs) {
      case Needs::tracking:
        return p.ns_track && p.ns_track->value ? "" : "the profile tracks no namespaces";
      case Needs::cgroup:
        return !p.cgroups.empty() || !p.units.empty() || p.mark ? ""
                                                                : "the profile holds no cgroup";
      case Needs::mark:
        return p.mark ? "" : "the profile has no mark";
      case Needs::nothing:
        return "";
    }
    return "";
  }

  static std::string_view remedy(Needs needs) {
    switch (needs) {
      case Needs::tracking:
        return "add namespaces.track = true";
      case Needs::cgroup:
        return "add cgroup = \"/PATH\"";
      case Needs::mark:
        return "add mark = \"trusted.NAME\"";
      case Needs::nothing:
        return "";
    }
    return "";
  }

  void check_key(const Key& key, const Profile& p) {
    std::visit(ByType{[&](const MoversKey& t) {
                        const Setting<Movers>& movers = p.*t.setting;
                        if (movers && !movers->value.any)
                          check_movers(movers->value.names, movers->where);
                      },
                      [&](const InsideKey& t) {
                        const Setting<Inside>& inside = p.*t.setting;
                        if (inside && inside->value.kind != HF_INSIDE_ANY)
                          check_movers(inside->value.names, inside->where);
                      },
                      [](const auto&) {}},
               key.type);
    const Span* where = place_of(key, p);
    const std::string_view without = lacking(key.needs, p);
    if (where == nullptr || without.empty()) return;
    const std::string_view last = key.name.substr(key.name.rfind('.') + 1);
    error(*where, fmt::format("'{}' can never apply: {}", last, without),
          std::string(remedy(key.needs)));
  }

  void check_profile(const Profile& p) {
    for (const Key& key : kKeys) check_key(key, p);
  }

  const Model& model_;
  std::vector<Diagnostic>& diagnostics_;
  std::set<std::string>* undefined_;
  std::map<std::string_view, const Profile*> defined_;
  std::set<std::set<std::string_view>> mover_sets_;
};

}  // namespace

void check_model(const Model& model, std::vector<Diagnostic>& diagnostics,
                 std::set<std::string>* undefined) {
  Checker(model, diagnostics, undefined).check();
}

}  // namespace holdfast::policy
