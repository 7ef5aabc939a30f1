// SPDX-License-Identifier: Apache-2.0
// Paths of cgroups, the patterns that bind them to profiles, and the profiles of a path.
//
// A pattern is a path in which '*' matches any run of bytes within one component. A binding covers
// the whole subtree of each cgroup that it matches. core/paths.h implements the same for BPF, one
// component at a time.
#ifndef HOLDFAST_POLICY_CGROUP_PATH_H
#define HOLDFAST_POLICY_CGROUP_PATH_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::policy {

// The error of a path or pattern, as the end of "'…' is not a cgroup: ". "": it is correct.
[[nodiscard]] std::string cgroup_path_mistake(std::string_view path);

// "/a/b" -> a, b; "/" -> nothing.
[[nodiscard]] std::vector<std::string_view> path_components(std::string_view path);

// Does one component of a pattern match a name?
[[nodiscard]] bool component_matches(std::string_view pattern, std::string_view name);

// The profiles whose bindings cover `path`, each once, the deepest binding first. Bindings of equal
// depth are ordered by their first different component, from the root: a name without '*' comes
// before one with '*', and among those the longer comes first.
[[nodiscard]] std::vector<std::uint16_t> profiles_of_cgroup(const Compiled& policy,
                                                            std::string_view path);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_CGROUP_PATH_H
