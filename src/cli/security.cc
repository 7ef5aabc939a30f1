// SPDX-License-Identifier: Apache-2.0
// `holdfast security`: how much of each unit no rule restricts.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/find_policy.h"
#include "cli/live_policy.h"
#include "cli/load_policy.h"
#include "explain/exposure.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/files/text_file.h"
#include "policy/policy_text.h"
#include "policy/unit_name.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using policy::Exposure;
using policy::UnitState;

constexpr std::uint64_t kSysAdmin = std::uint64_t{1} << 21;

struct Unit {
  std::string name;    // "nginx.service"
  std::string cgroup;  // "/system.slice/nginx.service"
  std::optional<UnitState> state;
  Exposure exposure;
};

int complain(int status, std::string_view text) {
  fmt::print(stderr, "holdfast security: {}\n", text);
  return status;
}

// The value of a line "NAME:\tVALUE" of /proc/PID/status.
std::string_view field(std::string_view status, std::string_view name) {
  const std::size_t at = status.find("\n" + std::string(name) + ":");
  if (at == std::string_view::npos) return "";
  std::string_view value = status.substr(at + name.size() + 2);
  value = value.substr(0, value.find('\n'));
  return value.substr(std::min(value.find_first_not_of(" \t"), value.size()));
}

void add_process(const std::string& root, std::string_view pid, UnitState& state) {
  const auto status = kernel::read_text_file(fmt::format("{}/proc/{}/status", root, pid));
  if (!status) return;  // it has ended
  state.processes++;
  // "Uid: real effective saved file".
  std::string_view uids = field(*status, "Uid");
  uids.remove_prefix(std::min(uids.find('\t') + 1, uids.size()));
  state.has_root = state.has_root || uids.starts_with("0\t");
  const std::string_view caps = field(*status, "CapEff");
  std::uint64_t effective = 0;
  std::from_chars(caps.data(), caps.data() + caps.size(), effective, 16);
  state.has_admin = state.has_admin || (effective & kSysAdmin) != 0;
  state.unfiltered = state.unfiltered || field(*status, "Seccomp") != "2";
}

// The processes at and below a cgroup.
void add_processes(const std::string& root, const fs::path& directory, UnitState& state) {
  if (const auto list = kernel::read_text_file((directory / "cgroup.procs").string()))
    for (std::string_view rest = *list; !rest.empty();) {
      const std::string_view pid = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), pid.size() + 1));
      if (!pid.empty()) add_process(root, pid, state);
    }
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory, failed))
    if (entry.is_directory(failed) && !entry.is_symlink(failed))
      add_processes(root, entry.path(), state);
}

bool is_unit(std::string_view name) {
  return name.ends_with(".service") || name.ends_with(".scope");
}

// The manager of a user starts units of its own below its cgroup.
bool has_units_below(std::string_view name) {
  return name.ends_with(".slice") || name.starts_with("user@");
}

void find_units(const std::string& root, const fs::path& directory, const std::string& cgroup,
                std::vector<Unit>& units) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory, failed)) {
    if (!entry.is_directory(failed) || entry.is_symlink(failed)) continue;
    const std::string name = entry.path().filename().string();
    const std::string path = fmt::format("{}/{}", cgroup, name);
    if (has_units_below(name)) find_units(root, entry.path(), path, units);
    if (!is_unit(name)) continue;
    UnitState state;
    add_processes(root, entry.path(), state);
    const auto delegated =
        kernel::cgroups_with_attribute(entry.path().string(), "trusted.delegate", "1");
    state.delegated = delegated && !delegated->empty();
    units.push_back({name, path, state, {}});
  }
}

// The policy in force, or that of the files.
std::optional<policy::ReadPolicy> policy_of(const SecurityOptions& options, std::string& from) {
  policy::PolicyText text;
  if (!options.policies.empty()) {
    text.sources = read_policy_files(options.policies);
    from = "the files of --policy";
    if (text.sources.empty()) return std::nullopt;
  } else {
    std::string why;
    const auto live = options.dirs.empty() ? live_policy(options.socket, why) : std::nullopt;
    if (live) {
      text = live->text;
      from = fmt::format("generation {}, in force", live->generation);
    } else {
      auto sources = machine_sources(policy_dirs_of(options.dirs));
      if (!sources) {
        complain(kExitUsage, sources.error().message());
        return std::nullopt;
      }
      text.sources = *std::move(sources);
      from = options.dirs.empty() ? fmt::format("the files, not what is in force: {}", why)
                                  : "the files of --policy-dir";
    }
  }
  auto read = policy::read_policy(text);
  for (const policy::Diagnostic& diagnostic : read.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!read.compiled) return std::nullopt;
  return read;
}

Json to_json(const Unit& unit) {
  Json json = {{"unit", unit.name},
               {"cgroup", unit.cgroup},
               {"runs", unit.state.has_value()},
               {"profile", unit.exposure.profile.empty() ? Json() : Json(unit.exposure.profile)},
               {"exposure", std::round(unit.exposure.score * 10) / 10},
               {"word", policy::word_for_exposure(unit.exposure.score)},
               {"findings", Json::array()}};
  for (const policy::Finding& one : unit.exposure.findings)
    json["findings"].push_back(
        {{"id", one.id}, {"weight", one.weight}, {"open", one.open}, {"why", one.why}});
  return json;
}

void print_unit(const Unit& unit) {
  double weights = 0;
  for (const policy::Finding& one : unit.exposure.findings) weights += one.weight;
  fmt::print("{}  {}\n", escape(unit.name), escape(unit.cgroup));
  fmt::print("profile  {}\n\n",
             unit.exposure.profile.empty() ? "none" : escape(unit.exposure.profile));
  for (const policy::Finding& one : unit.exposure.findings)
    fmt::print("  {} {:<20} {:<52} {:>4.1f}\n", one.open == 0 ? "+" : "-", one.id, escape(one.why),
               10 * one.weight * one.open / weights);
  fmt::print("\nexposure {:.1f} of 10: {}\n", unit.exposure.score,
             policy::word_for_exposure(unit.exposure.score));
  if (!unit.state) fmt::print("The unit does not run: nothing is known of its processes.\n");
}

void print_units(const std::vector<Unit>& units) {
  std::size_t width = 4;
  for (const Unit& unit : units) width = std::max(width, escape(unit.name).size());
  fmt::print("{:<{}}  EXPOSURE  {:<8} PROFILE\n", "UNIT", width, "");
  for (const Unit& unit : units)
    fmt::print("{:<{}}  {:>8.1f}  {:<8} {}\n", escape(unit.name), width, unit.exposure.score,
               policy::word_for_exposure(unit.exposure.score),
               unit.exposure.profile.empty() ? "-" : escape(unit.exposure.profile));
}

// The units that are named "nginx" or "nginx.service", or the one unit that does not run.
Result<std::vector<Unit>> named(std::vector<Unit> units, const std::string& name) {
  const std::string full =
      is_unit(name) || name.find('/') != std::string::npos ? name : name + ".service";
  std::erase_if(units, [&](const Unit& unit) { return unit.name != full && unit.cgroup != full; });
  if (!units.empty()) return units;
  const policy::UnitCgroup at = policy::cgroup_of_unit(full);
  if (!at.mistake.empty())
    return Error{EINVAL, "", "", fmt::format("'{}' is not a unit: {}", escape(name), at.mistake)};
  return std::vector<Unit>{{full, at.path, std::nullopt, {}}};
}

}  // namespace

int security(const SecurityOptions& options) {
  std::string from;
  const auto policy = policy_of(options, from);
  if (!policy) return kExitUsage;
  const std::string top = options.root + "/sys/fs/cgroup";
  std::error_code failed;
  if (!fs::is_directory(top, failed) || !fs::exists(top + "/cgroup.procs", failed))
    return complain(kExitImpossible,
                    fmt::format("{} is not the unified hierarchy (cgroup2)", escape(top)));
  std::vector<Unit> units;
  find_units(options.root, top, "", units);
  if (!options.unit.empty()) {
    auto wanted = named(std::move(units), options.unit);
    if (!wanted) return complain(kExitUsage, wanted.error().detail);
    units = *std::move(wanted);
  }
  for (Unit& unit : units)
    unit.exposure = policy::exposure_of(policy->model, *policy->compiled, unit.cgroup, unit.state);
  std::ranges::sort(units, [](const Unit& a, const Unit& b) {
    return std::pair(-a.exposure.score, a.cgroup) < std::pair(-b.exposure.score, b.cgroup);
  });
  if (options.json) {
    Json json = {{"policy", from}, {"units", Json::array()}};
    for (const Unit& unit : units) json["units"].push_back(to_json(unit));
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else if (!options.unit.empty()) {
    for (const Unit& unit : units) print_unit(unit);
  } else {
    print_units(units);
  }
  if (!options.json) fmt::print("\npolicy: {}\n", from);
  const bool too_exposed = std::ranges::any_of(
      units, [&](const Unit& unit) { return unit.exposure.score > options.threshold; });
  return too_exposed ? kExitFailed : kExitOk;
}

}  // namespace holdfast::cli
