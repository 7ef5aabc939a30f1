// SPDX-License-Identifier: Apache-2.0
#include "cli/load_policy.h"

#include <fmt/core.h>

#include "cli/find_policy.h"

namespace holdfast::cli {

std::vector<policy::Source> read_policy_files(const std::vector<std::string>& files) {
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
  if (sources.size() != files.size()) return {std::move(sources), nullptr};
  return load_sources(std::move(sources));
}

std::unique_ptr<const policy::Compiled> load_policy(const std::vector<std::string>& files) {
  return load_files(files).policy;
}

}  // namespace holdfast::cli
