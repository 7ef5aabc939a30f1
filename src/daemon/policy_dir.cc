// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy_dir.h"

#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "policy/load.h"

namespace holdfast::daemon {

namespace fs = std::filesystem;

Result<std::vector<std::string>> policy_files(const PolicyDirs& dirs) {
  std::map<std::string, std::string> by_name;
  for (const std::string& dir : dirs.paths) {
    std::error_code failed;
    fs::directory_iterator entries(dir, failed);
    if (failed.value() == ENOENT && dirs.missing == Missing::is_empty) continue;
    for (; !failed && entries != fs::directory_iterator(); entries.increment(failed)) {
      const fs::path& path = entries->path();
      // Skip names that begin with a dot: editors make such files.
      if (path.extension() != ".toml" || path.filename().string().starts_with('.')) continue;
      by_name[path.filename().string()] = path.string();
    }
    if (failed) return Error{failed.value(), "read policy directory", dir, {}};
  }
  std::vector<std::string> files;
  files.reserve(by_name.size());
  for (auto& [name, path] : by_name) files.push_back(std::move(path));
  return files;
}

Result<LoadedPolicy> compile_sources(std::vector<policy::Source> sources) {
  policy::LoadResult loaded = policy::load(sources);
  if (loaded.policy) return LoadedPolicy{std::move(sources), std::move(loaded.policy)};
  std::string mistakes;
  for (const policy::Diagnostic& diagnostic : loaded.diagnostics)
    mistakes += policy::render(diagnostic);
  return Error{0, "load policy", {}, std::move(mistakes)};
}

Result<std::vector<policy::Source>> read_policy(const PolicyDirs& dirs) {
  HF_TRY_ASSIGN(const auto files, policy_files(dirs));
  std::vector<policy::Source> sources;
  sources.reserve(files.size());
  for (const std::string& file : files) {
    HF_TRY_ASSIGN(auto source, policy::read_source(file));
    sources.push_back(std::move(source));
  }
  return sources;
}

Result<LoadedPolicy> load_policy(const PolicyDirs& dirs) {
  HF_TRY_ASSIGN(auto sources, read_policy(dirs));
  return compile_sources(std::move(sources));
}

}  // namespace holdfast::daemon
