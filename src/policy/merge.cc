// SPDX-License-Identifier: Apache-2.0
#include "policy/merge.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "policy/keys.h"
#include "policy/sessions_table.h"

namespace holdfast::policy {
namespace {

using Paths = std::vector<Stated<std::string>>;

std::set<std::string> values_of(const Paths& paths) {
  std::set<std::string> values;
  for (const Stated<std::string>& path : paths) values.insert(path.value);
  return values;
}

// A file with its drop-ins.
using Unit = FileModel;

Profile* find(std::vector<Profile>& profiles, const std::string& name) {
  const auto at = std::ranges::find(profiles, name, &Profile::name);
  return at == profiles.end() ? nullptr : &*at;
}

// `with` is of a drop-in. What it states replaces what `profile` states.
void override_profile(Profile& profile, Profile with) {
  for (const Key& key : kKeys) {
    std::visit(ByType{[&](const PathsKey&) {
                        if (!with.cgroups.empty()) profile.cgroups = std::move(with.cgroups);
                      },
                      [&](const UnitsKey&) {
                        if (!with.units.empty()) profile.units = std::move(with.units);
                      },
                      [&](const SocketRulesKey&) {
                        if (!with.socket_where) return;
                        if (with.sockets.empty()) profile.sockets.clear();
                        profile.sockets.insert(profile.sockets.begin(), with.sockets.begin(),
                                               with.sockets.end());
                        profile.socket_where = with.socket_where;
                      },
                      [&]<typename Type>(const Type& type) {
                        if constexpr (requires { type.setting; })
                          if (with.*type.setting)
                            profile.*type.setting = std::move(with.*type.setting);
                      }},
               key.type);
  }
  if (!profile.bpf) profile.bpf = with.bpf;
}

void override_unit(Unit& unit, FileModel with) {
  if (with.mode) unit.mode = with.mode;
  if (with.log) unit.log = with.log;
  override_sessions(unit.sessions, std::move(with.sessions));
  for (Profile& profile : with.profiles) {
    for (SocketRule& rule : profile.sockets) rule.drop_in = true;
    if (Profile* same = find(unit.profiles, profile.name); same != nullptr)
      override_profile(*same, std::move(profile));
    else
      unit.profiles.push_back(std::move(profile));
  }
  std::ranges::move(with.tests, std::back_inserter(unit.tests));
}

class Combiner {
 public:
  Combiner(Model& model, std::vector<Diagnostic>& diagnostics)
      : model_(model), diagnostics_(diagnostics) {}

  void add(Unit& unit) {
    for (Profile& profile : unit.profiles) {
      const auto [at, added] = known_.try_emplace(profile.name, model_.profiles.size());
      if (added)
        model_.profiles.push_back(std::move(profile));
      else
        add_keys(model_.profiles[at->second], std::move(profile));
      defaults_[at->second].emplace_back(unit.mode, unit.log);
    }
    add_sessions(model_.sessions, std::move(unit.sessions), diagnostics_);
    std::ranges::move(unit.tests, std::back_inserter(model_.tests));
  }

  // After all units.
  void apply_defaults() {
    for (const auto& [index, units] : defaults_) {
      Profile& profile = model_.profiles[index];
      const bool has_mode = profile.mode.has_value();
      const bool has_log = profile.log.has_value();
      for (const auto& [mode, log] : units) {
        if (!has_mode) apply(profile, "mode", profile.mode, mode);
        if (!has_log) apply(profile, "log", profile.log, log);
      }
    }
  }

 private:
  void twice(const Profile& profile, std::string_view key, const Span& first, const Span& second) {
    diagnostics_.push_back(
        {second, fmt::format("'{}' of profile '{}' is stated in two files", key, profile.name),
         fmt::format("first at {}; only a drop-in of that file may override it", first.place()),
         ""});
  }

  void apply(const Profile& profile, std::string_view key, Setting<std::uint8_t>& setting,
             const Setting<std::uint8_t>& of_unit) {
    if (!of_unit) return;
    if (setting && setting->value != of_unit->value)
      return twice(profile, key, setting->where, of_unit->where);
    setting = of_unit;
  }

  // Keys that `profile` has and those of another unit.
  void add_keys(Profile& profile, Profile more) {
    const auto lists = [&](std::string_view key, Paths& to, Paths& from) {
      if (!to.empty() && !from.empty() && values_of(to) != values_of(from))
        twice(profile, key, to[0].where, from[0].where);
      if (to.empty()) to = std::move(from);
    };
    for (const Key& key : kKeys) {
      std::visit(ByType{[&](const PathsKey&) { lists(key.name, profile.cgroups, more.cgroups); },
                        [&](const UnitsKey&) { lists(key.name, profile.units, more.units); },
                        [&](const SocketRulesKey&) {
                          if (profile.socket_where && more.socket_where)
                            return twice(profile, key.name, *profile.socket_where,
                                         *more.socket_where);
                          if (!more.socket_where) return;
                          profile.sockets = std::move(more.sockets);
                          profile.socket_where = more.socket_where;
                        },
                        [&]<typename Type>(const Type& type) {
                          if constexpr (requires { type.setting; }) {
                            auto& to = profile.*type.setting;
                            auto& from = more.*type.setting;
                            if (to && from) return twice(profile, key.name, to->where, from->where);
                            if (from) to = std::move(from);
                          }
                        }},
                 key.type);
    }
    if (!profile.bpf) profile.bpf = more.bpf;
  }

  using UnitDefaults = std::pair<Setting<std::uint8_t>, Setting<std::uint8_t>>;

  Model& model_;
  std::vector<Diagnostic>& diagnostics_;
  std::map<std::string, std::size_t, std::less<>> known_;
  std::map<std::size_t, std::vector<UnitDefaults>> defaults_;  // by the profile's index
};

}  // namespace

std::vector<const Stated<std::string>*> bound_cgroups(const Profile& profile) {
  std::vector<const Stated<std::string>*> bound;
  for (const Stated<std::string>& cgroup : profile.cgroups) bound.push_back(&cgroup);
  for (const Stated<std::string>& unit : profile.units) bound.push_back(&unit);
  return bound;
}

void merge_files(std::vector<FileModel> files, Model& model, std::vector<Diagnostic>& diagnostics) {
  std::vector<Unit> units;
  for (FileModel& file : files) {
    if (file.drop_in && !units.empty())
      override_unit(units.back(), std::move(file));
    else
      units.push_back(std::move(file));
  }
  Combiner combiner(model, diagnostics);
  for (Unit& unit : units) combiner.add(unit);
  combiner.apply_defaults();
}

}  // namespace holdfast::policy
