// SPDX-License-Identifier: Apache-2.0
// Bindings may nest at most HF_MAX_NEST deep, because a decision has room for that many profiles.
// Comparing each of 65,536 bindings with each other would be slow. So they are put into a tree with
// one level for each component. Each path is walked down the tree along all patterns that match.
#include "policy/binding_check.h"

#include <fmt/core.h>

#include <map>
#include <memory>

#include "core/paths.h"
#include "policy/cgroup_path.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxMarkBytes = 255;

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> names;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> patterns;
  const Stated<std::string>* bound = nullptr;
};

bool is_pattern(std::string_view component) {
  return component.find('*') != std::string_view::npos;
}

class BindingChecker {
 public:
  explicit BindingChecker(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  void add(const Profile& profile) {
    for (const Stated<std::string>* cgroup : bound_cgroups(profile)) add_binding(*cgroup);
    if (profile.mark) add_mark(*profile.mark);
  }

  void check_nesting(const Profile& profile) {
    for (const Stated<std::string>* stated : bound_cgroups(profile)) {
      const Stated<std::string>& cgroup = *stated;
      if (!cgroup_path_mistake(cgroup.value).empty()) continue;
      std::vector<const Node*> at = {&root_};
      std::size_t bound = root_.bound != nullptr;
      for (const std::string_view component : path_components(cgroup.value)) {
        if (at.size() > HF_PATH_STATES) break;
        at = step(at, component);
        for (const Node* node : at) bound += node->bound != nullptr;
      }
      if (bound > HF_MAX_NEST || at.size() > HF_PATH_STATES)
        error(cgroup.value_where, fmt::format("'{}' lies in {} bound cgroups; the limit is {}",
                                              cgroup.value, bound, HF_MAX_NEST));
    }
  }

 private:
  void error(const Span& where, std::string message, std::string hint = "") {
    diagnostics_.push_back({where, std::move(message), std::move(hint), ""});
  }

  void add_binding(const Stated<std::string>& cgroup) {
    const std::string mistake = cgroup_path_mistake(cgroup.value);
    if (!mistake.empty())
      return error(cgroup.value_where,
                   fmt::format("'{}' is not a cgroup: {}", cgroup.value, mistake));
    Node* node = &root_;
    for (const std::string_view component : path_components(cgroup.value)) {
      auto& children = is_pattern(component) ? node->patterns : node->names;
      auto& child = children[std::string(component)];
      const bool is_new = !child;
      if (is_new) child = std::make_unique<Node>();
      if (is_new && node->patterns.size() == HF_PATH_GLOBS + 1)
        error(cgroup.value_where,
              fmt::format("more than {} patterns beside each other", HF_PATH_GLOBS));
      node = child.get();
    }
    if (node->bound != nullptr)
      return error(cgroup.value_where, fmt::format("cgroup '{}' is bound twice", cgroup.value),
                   fmt::format("first at {}", node->bound->value_where.place()));
    node->bound = &cgroup;
    if (++count_ == HF_MAX_BINDINGS + 1)
      error(cgroup.value_where, fmt::format("more than {} cgroups", HF_MAX_BINDINGS));
  }

  // A pattern of another binding counts if it can match this component. This component may be a
  // pattern too.
  static std::vector<const Node*> step(const std::vector<const Node*>& from,
                                       std::string_view component) {
    std::vector<const Node*> to;
    for (const Node* node : from) {
      if (const auto at = node->names.find(component); at != node->names.end())
        to.push_back(at->second.get());
      for (const auto& [pattern, child] : node->patterns) {
        if (component_matches(pattern, component)) to.push_back(child.get());
      }
    }
    return to;
  }

  void add_mark(const Stated<std::string>& mark) {
    const bool known_kind = mark.value.starts_with("user.") || mark.value.starts_with("trusted.");
    if (!known_kind || mark.value.ends_with('.') || mark.value.size() > kMaxMarkBytes ||
        mark.value.find('\0') != std::string::npos)
      return error(
          mark.value_where, fmt::format("'{}' is not a mark", mark.value),
          "a mark is an extended attribute, user.NAME or trusted.NAME, of at most 255 bytes");
    const auto [at, added] = marks_.try_emplace(mark.value, &mark);
    if (!added)
      error(mark.value_where, fmt::format("mark '{}' gives two profiles", mark.value),
            fmt::format("first at {}", at->second->value_where.place()));
  }

  std::vector<Diagnostic>& diagnostics_;
  Node root_;
  std::size_t count_ = 0;
  std::map<std::string_view, const Stated<std::string>*> marks_;
};

}  // namespace

void check_bindings(const Model& model, std::vector<Diagnostic>& diagnostics) {
  BindingChecker checker(diagnostics);
  for (const Profile& profile : model.profiles) checker.add(profile);
  for (const Profile& profile : model.profiles) checker.check_nesting(profile);
}

}  // namespace holdfast::policy
