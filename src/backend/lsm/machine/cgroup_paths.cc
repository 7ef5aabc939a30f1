// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/cgroup_paths.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>

namespace holdfast::backend::lsm {

namespace {

// A trie in memory. Node 0 is where a walk starts: its one child is the root, component "".
struct Node {
  std::map<std::string, std::size_t, std::less<>> children;  // by component, patterns too
  std::uint16_t profile = HF_NO_PROFILE;
};

bool is_pattern(std::string_view component) {
  return component.find('*') != std::string_view::npos;
}

Error refused(int code, const CgroupBinding& binding, std::string why) {
  return Error{code, "bind cgroup", binding.path, std::move(why)};
}

Result<std::vector<std::string>> components(const CgroupBinding& binding) {
  std::vector<std::string> parts = {""};
  std::string_view rest = binding.path;
  if (!rest.starts_with('/')) return refused(EINVAL, binding, "a path starts with '/'");
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(part.size());
    if (part.empty()) continue;
    if (part == "." || part == "..") return refused(EINVAL, binding, "'.' and '..' are no names");
    if (part.size() >= HF_PATH_NAME) return refused(EINVAL, binding, "a component is too long");
    parts.emplace_back(part);
  }
  return parts;
}

class Trie {
 public:
  Result<void> add(const CgroupBinding& binding) {
    HF_TRY_ASSIGN(const auto parts, components(binding));
    std::size_t at = 0;
    for (const std::string& part : parts) at = child(at, part);
    Node& node = nodes_[at];
    if (node.profile != HF_NO_PROFILE && node.profile != binding.profile)
      return refused(EINVAL, binding, "bound to two profiles");
    node.profile = binding.profile;
    return {};
  }

  Result<CgroupPaths> entries(std::uint64_t generation) const {
    CgroupPaths paths;
    for (std::size_t at = 0; at < nodes_.size(); ++at) {
      const std::vector<std::string> patterns = patterns_of(at);
      if (patterns.size() > HF_PATH_GLOBS)
        return Error{E2BIG, "bind cgroups", patterns.front(),
                     "too many patterns below one directory"};
      for (const auto& [part, to] : nodes_[at].children)
        if (!is_pattern(part)) paths.names.push_back(name(generation, at, part, to));
      for (std::size_t i = 0; i < patterns.size(); ++i)
        paths.globs.push_back(glob(generation, at, i, patterns[i]));
    }
    return paths;
  }

 private:
  std::size_t child(std::size_t of, const std::string& part) {
    const auto found = nodes_[of].children.find(part);
    if (found != nodes_[of].children.end()) return found->second;
    const std::size_t made = nodes_.size();
    nodes_.emplace_back();
    nodes_[of].children.emplace(part, made);
    return made;
  }

  // Least specific first, since the walk takes the last match for the most specific: the longer
  // pattern is, and of two as long the one that the policy states first.
  [[nodiscard]] std::vector<std::string> patterns_of(std::size_t at) const {
    std::vector<std::pair<std::string, std::size_t>> found;
    for (const auto& child : nodes_[at].children)
      if (is_pattern(child.first)) found.emplace_back(child);
    std::ranges::sort(found, [](const auto& a, const auto& b) {
      return std::pair(a.first.size(), b.second) < std::pair(b.first.size(), a.second);
    });
    std::vector<std::string> patterns;
    patterns.reserve(found.size());
    for (auto& [pattern, node] : found) patterns.push_back(std::move(pattern));
    return patterns;
  }

  static std::uint32_t number(std::size_t at) {
    return at == 0 ? HF_PATH_START : static_cast<std::uint32_t>(at);
  }

  [[nodiscard]] hf_path_edge edge(std::size_t to) const {
    return {number(to), nodes_[to].profile, static_cast<std::uint16_t>(patterns_of(to).size())};
  }

  [[nodiscard]] CgroupPaths::Name name(std::uint64_t generation, std::size_t at,
                                       const std::string& part, std::size_t to) const {
    CgroupPaths::Name entry = {};
    entry.key.generation = generation;
    entry.key.node = number(at);
    std::memcpy(entry.key.name, part.data(), part.size());
    entry.value = edge(to);
    return entry;
  }

  [[nodiscard]] CgroupPaths::Glob glob(std::uint64_t generation, std::size_t at, std::size_t index,
                                       const std::string& pattern) const {
    CgroupPaths::Glob entry = {};
    entry.key = {generation, number(at), static_cast<std::uint32_t>(index)};
    entry.value.edge = edge(nodes_[at].children.at(pattern));
    std::memcpy(entry.value.text, pattern.data(), pattern.size());
    return entry;
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace

Result<CgroupPaths> build_cgroup_paths(const std::vector<CgroupBinding>& bindings,
                                       std::uint64_t generation) {
  Trie trie;
  for (const CgroupBinding& binding : bindings) HF_TRY(trie.add(binding));
  return trie.entries(generation);
}

}  // namespace holdfast::backend::lsm
