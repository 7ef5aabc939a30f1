// SPDX-License-Identifier: Apache-2.0
#include "policy/cgroup_path.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/paths.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxComponentBytes = HF_PATH_NAME - 1;

struct Match {
  std::vector<std::string_view> pattern;
  std::uint16_t profile;
};

// Compares two bindings that match the same path. The deeper one comes first. At equal depth the
// first difference from the root decides.
bool stronger(const Match& a, const Match& b) {
  if (a.pattern.size() != b.pattern.size()) return a.pattern.size() > b.pattern.size();
  for (std::size_t i = 0; i < a.pattern.size(); i++) {
    const bool a_star = a.pattern[i].find('*') != std::string_view::npos;
    const bool b_star = b.pattern[i].find('*') != std::string_view::npos;
    if (a_star != b_star) return b_star;
    if (a.pattern[i].size() != b.pattern[i].size())
      return a.pattern[i].size() > b.pattern[i].size();
  }
  return false;
}

bool holds(const std::vector<std::string_view>& pattern,
           const std::vector<std::string_view>& path) {
  if (pattern.size() > path.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); i++) {
    if (!component_matches(pattern[i], path[i])) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string_view> path_components(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view component = path.substr(0, path.find('/'));
    if (!component.empty() || !path.empty()) components.push_back(component);
    path.remove_prefix(component.size());
  }
  return components;
}

std::string cgroup_path_mistake(std::string_view path) {
  if (!path.starts_with('/')) return "it must start with '/', the root of the cgroup hierarchy";
  if (path == "/") return "";
  if (path.ends_with('/')) return "it must not end with '/'";
  const auto components = path_components(path);
  if (components.size() > HF_PATH_DEPTH)
    return fmt::format("it is deeper than {} levels", HF_PATH_DEPTH);
  for (const std::string_view component : components) {
    if (component.empty()) return "it has an empty component";
    if (component == "." || component == "..") return "it must not contain '.' or '..'";
    if (component.size() > kMaxComponentBytes)
      return fmt::format("a component is longer than {} bytes", kMaxComponentBytes);
    // The kernel refuses newlines in names of cgroups (cgroup_mkdir), and NUL ends them.
    if (component.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos)
      return "no cgroup has a newline or NUL in its name";
  }
  return "";
}

// Greedy matching that backtracks only to the last '*': a later '*' can match everything that an
// earlier one could. Linear for one '*', otherwise at most the product of the lengths.
bool component_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      p++;
      n++;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') p++;
  return p == pattern.size();
}

std::vector<std::uint16_t> profiles_of_cgroup(const Compiled& policy, std::string_view path) {
  const auto components = path_components(path);
  std::vector<Match> matches;
  for (const Binding& binding : policy.bindings) {
    auto pattern = path_components(binding.cgroup);
    if (holds(pattern, components)) matches.push_back({std::move(pattern), binding.profile});
  }
  std::stable_sort(matches.begin(), matches.end(), stronger);
  std::vector<std::uint16_t> profiles;
  for (const Match& match : matches) {
    if (std::find(profiles.begin(), profiles.end(), match.profile) == profiles.end())
      profiles.push_back(match.profile);
  }
  return profiles;
}

}  // namespace holdfast::policy
