// SPDX-License-Identifier: Apache-2.0
#include "cli/load_policy.h"

#include <fmt/core.h>

namespace holdfast::cli {

std::vector<policy::Source> read_policy_files(const std::vector<std::string>& files) {
  std::vector<policy::Source> sources;
  bool failed = false;
  for (const std::string& file : files) {
    auto source = policy::read_source(file);
    if (source) {
      sources.push_back(std::move(*source));
    } else {
      fmt::print(stderr, "holdfast: {}\n", source.error().message());
      failed = true;
    }
  }
  if (failed) sources.clear();
  return sources;
}

LoadedFiles load_files(const std::vector<std::string>& files) {
  LoadedFiles loaded{read_policy_files(files), nullptr};
  if (loaded.sources.size() != files.size()) return loaded;
  policy::LoadResult result = policy::load(loaded.sources);
  for (const policy::Diagnostic& diagnostic : result.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  loaded.policy = std::move(result.policy);
  return loaded;
}

std::unique_ptr<const policy::Compiled> load_policy(const std::vector<std::string>& files) {
  return load_files(files).policy;
}

}  // namespace holdfast::cli
