// SPDX-License-Identifier: Apache-2.0
// The daemon's parts that need no kernel: which files count, what the policy binds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "backend/lsm/machine/cgroup_paths.h"
#include "policy/load.h"

namespace {

using holdfast::backend::CgroupBinding;
using holdfast::backend::lsm::build_cgroup_paths;
using holdfast::backend::lsm::CgroupPaths;

// Walks the entries as bpf/machine/cgroup_path.bpf.h does; the deepest profile of a path.
class Walk {
 public:
  explicit Walk(const CgroupPaths& paths) : paths_(paths) {}

  [[nodiscard]] std::uint16_t deepest(const std::string& path) const {
    std::vector<hf_path_edge> at = {{HF_PATH_START, 0, 0}};
    std::uint16_t profile = 0;
    std::string rest = path;
    for (std::string part; !at.empty(); part = next(rest)) {
      std::vector<hf_path_edge> reached;
      for (const hf_path_edge& edge : at) step(edge, part, reached);
      for (const hf_path_edge& edge : reached)
        if (edge.profile) profile = edge.profile;
      at = reached;
      if (rest.empty()) break;
    }
    return profile;
  }

 private:
  static std::string next(std::string& rest) {
    const std::size_t end = rest.find('/', 1);
    std::string part = rest.substr(1, end == std::string::npos ? end : end - 1);
    rest = end == std::string::npos ? "" : rest.substr(end);
    return part;
  }

  void step(const hf_path_edge& from, const std::string& part,
            std::vector<hf_path_edge>& reached) const {
    for (std::uint32_t i = 0; i < from.globs; ++i)
      for (const auto& glob : paths_.globs)
        if (glob.key.node == from.node && glob.key.index == i &&
            matches(glob.value.text, part.c_str()))
          reached.push_back(glob.value.edge);
    for (const auto& name : paths_.names)
      if (name.key.node == from.node && part == name.key.name) reached.push_back(name.value);
  }

  static bool matches(const char* glob, const char* name) {
    if (*glob == '*') return matches(glob + 1, name) || (*name && matches(glob, name + 1));
    if (*glob != *name) return false;
    return *glob == '\0' || matches(glob + 1, name + 1);
  }

  const CgroupPaths& paths_;
};

CgroupPaths build(const std::vector<CgroupBinding>& bindings) {
  auto paths = build_cgroup_paths(bindings, 7);
  EXPECT_TRUE(paths) << paths.error().message();
  return *std::move(paths);
}

TEST(CgroupPaths, DeepestBindingWins) {
  const CgroupPaths paths = build({{"/a", 1}, {"/a/b/c", 2}, {"/", 3}});
  const Walk walk(paths);
  EXPECT_EQ(walk.deepest("/a"), 1);
  EXPECT_EQ(walk.deepest("/a/b"), 1);
  EXPECT_EQ(walk.deepest("/a/b/c/d"), 2);
  EXPECT_EQ(walk.deepest("/ab"), 3);
}

TEST(CgroupPaths, ExactNameBeforePatternAndLongerBeforeShorter) {
  const CgroupPaths paths = build({{"/u/user-7.slice", 1}, {"/u/user-*.slice", 2}, {"/u/*", 3}});
  const Walk walk(paths);
  EXPECT_EQ(walk.deepest("/u/user-7.slice"), 1);
  EXPECT_EQ(walk.deepest("/u/user-8.slice"), 2);
  EXPECT_EQ(walk.deepest("/u/session"), 3);
  EXPECT_EQ(walk.deepest("/u"), 0);
}

TEST(CgroupPaths, EveryEntryCarriesTheGenerationAndKeysAreUnique) {
  const CgroupPaths paths = build({{"/a/*/c", 1}, {"/a/b/c", 2}, {"/a/*/d", 3}});
  std::set<std::string> keys;
  for (const auto& name : paths.names) {
    EXPECT_EQ(name.key.generation, 7u);
    EXPECT_TRUE(keys.emplace(reinterpret_cast<const char*>(&name.key), sizeof(name.key)).second);
  }
  for (const auto& glob : paths.globs) EXPECT_EQ(glob.key.generation, 7u);
  EXPECT_EQ(paths.globs.size(), 1u);
}

TEST(CgroupPaths, RefusesWhatNoCgroupCanBe) {
  EXPECT_FALSE(build_cgroup_paths({{"a", 1}}, 1));
  EXPECT_FALSE(build_cgroup_paths({{"/a/../b", 1}}, 1));
  EXPECT_FALSE(build_cgroup_paths({{"/" + std::string(256, 'x'), 1}}, 1));
  EXPECT_FALSE(build_cgroup_paths({{"/a", 1}, {"/a", 2}}, 1));
}

TEST(CgroupPaths, RefusesMorePatternsThanTheProgramsTry) {
  std::vector<CgroupBinding> bindings;
  for (unsigned i = 0; i <= HF_PATH_GLOBS; ++i)
    bindings.push_back({"/p" + std::to_string(i) + "*", 1});
  EXPECT_FALSE(build_cgroup_paths(bindings, 1));
  bindings.pop_back();
  EXPECT_TRUE(build_cgroup_paths(bindings, 1));
}

TEST(CgroupExamples, AreValid) {
  for (const char* name :
       {"cgroup-service", "cgroup-delegated", "cgroup-pid1", "cgroup-audit", "cgroup-run"}) {
    auto source = holdfast::policy::read_source(std::string(HOLDFAST_SOURCE_DIR "/examples/") +
                                                name + ".toml");
    ASSERT_TRUE(source) << name;
    const auto loaded = holdfast::policy::load({*std::move(source)});
    for (const auto& diagnostic : loaded.diagnostics)
      ADD_FAILURE() << holdfast::policy::render(diagnostic);
  }
}

}  // namespace
