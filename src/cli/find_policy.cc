// SPDX-License-Identifier: Apache-2.0
#include "cli/find_policy.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "policy/suggest.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".toml";

bool exists(const std::string& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

std::string in_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::vector<std::string> profile_directories() {
  std::vector<std::string> directories;
  std::string configuration = in_environment("XDG_CONFIG_HOME");
  if (const std::string home = in_environment("HOME"); configuration.empty() && !home.empty())
    configuration = home + "/.config";
  if (configuration.starts_with('/')) directories.push_back(configuration + "/holdfast/profiles");
  directories.emplace_back("/etc/holdfast/profiles");
  directories.emplace_back(policy_dirs::kProfilesDirectory);
  return directories;
}

std::vector<std::string> known_policy_names() {
  std::set<std::string> names;
  for (const std::string& directory : profile_directories()) {
    std::error_code failed;
    for (fs::directory_iterator at(directory, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
      const std::string name = at->path().filename().string();
      if (name.ends_with(kEnding) && !name.starts_with('.'))
        names.insert(name.substr(0, name.size() - kEnding.size()));
    }
  }
  return {names.begin(), names.end()};
}

Result<std::string> find_policy(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(kEnding)) return name;
  std::string searched;
  for (const std::string& directory : profile_directories()) {
    const std::string path = directory + "/" + name + std::string(kEnding);
    if (exists(path)) return path;
    searched += (searched.empty() ? "" : ", ") + directory;
  }
  if (exists(name)) return name;
  const auto names = known_policy_names();
  const std::string similar = policy::suggest(name, {names.begin(), names.end()});
  return Error{ENOENT, "find policy", name,
               similar.empty() ? "neither a file here nor a policy in " + searched : similar};
}

Result<std::vector<policy::Source>> machine_sources(const policy_dirs::PolicyDirs& dirs) {
  HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(dirs));
  if (const auto refused = policy_dirs::refusals(units); !refused.empty())
    return Error{EINVAL, "read policy", refused[0].where.file, refused[0].message};
  return policy_dirs::sources_of(units);
}

policy_dirs::PolicyDirs policy_dirs_of(const std::vector<std::string>& paths) {
  policy_dirs::PolicyDirs dirs;
  if (paths.empty()) return dirs;
  dirs.paths = paths;
  dirs.missing = policy_dirs::Missing::is_error;
  return dirs;
}

}  // namespace holdfast::cli
