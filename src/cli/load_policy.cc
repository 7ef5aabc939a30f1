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

std::unique_ptr<const policy::Compiled> load_policy(const std::vector<std::string>& files) {
  const auto sources = read_policy_files(files);
  if (sources.size() != files.size()) return nullptr;
  policy::LoadResult result = policy::load(sources);
  for (const policy::Diagnostic& diagnostic : result.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  return std::move(result.policy);
}

}  // namespace holdfast::cli
