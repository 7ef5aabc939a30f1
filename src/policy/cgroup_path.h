// SPDX-License-Identifier: Apache-2.0
// Paths of cgroups, the patterns that bind them to profiles, and which profiles a path lies in.
//
// A pattern is a path in which '*' stands for any run of bytes within one component. A binding
// holds the whole subtree of what it matches. core/paths.h decides the same for BPF, one component
// at a time.
#ifndef HOLDFAST_POLICY_CGROUP_PATH_H
#define HOLDFAST_POLICY_CGROUP_PATH_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::policy {

// What is wrong with a path or pattern, as the end of "'…' is not a cgroup: "; "" when nothing is.
[[nodiscard]] std::string cgroup_path_mistake(std::string_view path);

// "/a/b" -> a, b; "/" -> nothing.
[[nodiscard]] std::vector<std::string_view> path_components(std::string_view path);

// Does one component of a pattern match a name?
[[nodiscard]] bool component_matches(std::string_view pattern, std::string_view name);

// The profiles whose subtree holds `path`, deepest binding first, each once. At equal depth the
// first component that differs, from the root on, says: a plain name comes before a pattern, then
// the longer one.
[[nodiscard]] std::vector<std::uint16_t> profiles_of_cgroup(const Compiled& policy,
                                                            std::string_view path);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_CGROUP_PATH_H
