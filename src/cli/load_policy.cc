// SPDX-License-Identifier: Apache-2.0
#include "cli/load_policy.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "cli/find_policy.h"
#include "policy/parse.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::cli {

namespace {

bool defines(const std::vector<policy::Source>& sources, const std::set<std::string>& wanted) {
  const auto parsed = policy::parse(sources);
  return std::ranges::any_of(parsed.model.profiles, [&wanted](const policy::Profile& profile) {
    return wanted.contains(profile.name);
  });
}

// The profiles that the sources name and do not define, and those that join rules are about and that
// have no cgroup: a file may add rules to a shared profile.
std::set<std::string> wanted_of(const std::vector<policy::Source>& sources) {
  auto parsed = policy::parse(sources);
  for (const policy::Profile& profile : parsed.model.profiles)
    if (policy::bound_cgroups(profile).empty() && !profile.mark &&
        (profile.cg_join || profile.cg_inside))
      parsed.undefined.insert(profile.name);
  return std::move(parsed.undefined);
}

// A shared file may name profiles of other shared files.
void add_shared(std::vector<policy::Source>& sources, const std::vector<std::string>& dirs) {
  auto wanted = wanted_of(sources);
  if (wanted.empty()) return;
  auto units = policy_dirs::read_units(policy_dirs_of(dirs));
  if (!units) return;  // the mistake that is left is about the undefined profile
  for (bool added = true; added && !wanted.empty();) {
    added = false;
    for (auto at = units->begin(); at != units->end(); ++at) {
      const auto more = at->sources();
      if (more.empty() || !defines(more, wanted)) continue;
      sources.insert(sources.end(), more.begin(), more.end());
      units->erase(at);
      wanted = wanted_of(sources);
      added = true;
      break;
    }
  }
}

}  // namespace

std::vector<policy::Source> read_policy_files(const std::vector<std::string>& files,
                                              const std::vector<std::string>& dirs) {
  std::vector<policy::Source> sources;
  bool failed = false;
  for (const std::string& file : files) {
    const auto path = find_policy(file);
    auto source = path ? policy::read_source(*path) : path.error();
    if (source) {
      sources.push_back(std::move(*source));
    } else {
      fmt::print(stderr, "holdfast: {}\n", source.error().message());
      failed = true;
    }
  }
  if (failed) sources.clear();
  if (!sources.empty()) add_shared(sources, dirs);
  return sources;
}

LoadedFiles load_sources(std::vector<policy::Source> sources) {
  LoadedFiles loaded{std::move(sources), nullptr};
  policy::LoadResult result = policy::load(loaded.sources);
  for (const policy::Diagnostic& diagnostic : result.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  loaded.policy = std::move(result.policy);
  return loaded;
}

LoadedFiles load_files(const std::vector<std::string>& files) {
  auto sources = read_policy_files(files);
  if (sources.size() < files.size()) return {std::move(sources), nullptr};
  return load_sources(std::move(sources));
}

std::unique_ptr<const policy::Compiled> load_policy(const std::vector<std::string>& files) {
  return load_files(files).policy;
}

}  // namespace holdfast::cli
