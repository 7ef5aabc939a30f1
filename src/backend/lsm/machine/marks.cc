// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/marks.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/digest.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/files/attributed_files.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::lsm {
namespace {

constexpr const char* kPlaces[] = {"/usr", "/opt"};

constexpr std::string_view kUserNames = "user.";

// Why others than root may have written to it. Empty: they may not.
std::string written_by_others(const std::string& path, const struct stat& file) {
  if (file.st_uid != 0) return path + " belongs to user " + std::to_string(file.st_uid);
  if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "others may write to " + path;
  return {};
}

std::string path_of(int fd) {
  std::array<char, PATH_MAX> path;
  const ssize_t bytes =
      readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return bytes < 0 ? std::string("a file") : std::string(path.data(), static_cast<size_t>(bytes));
}

Error failed(int code, const char* operation, const std::string& object) {
  return Error{-code, operation, object, {}};
}

hf_mark_id_key id_key(const MarkEntry& entry) { return {entry.key.generation, entry.mark.id}; }

}  // namespace

// A cgroup cannot be renamed, and only tasks that may write to its parent can make one of its name.
std::string doubt_about_cgroup(const std::string& root, const std::string& directory) {
  for (std::size_t end = root.size();; end = directory.find('/', end + 1)) {
    const std::string at = directory.substr(0, end);
    struct stat found = {};
    if (stat(at.c_str(), &found) != 0) return at + " cannot be read";
    if (auto doubt = written_by_others(at, found); !doubt.empty()) return doubt;
    for (const char* name : {"trusted.delegate", "user.delegate"})
      if (kernel::get_path_attribute(at, name)) return at + " is delegated";
    if (end >= directory.size()) return {};
  }
}

Result<void> record_cgroups(int map_fd, const void* entry, const std::string& root,
                            const std::string& attribute, std::optional<std::string_view> value,
                            const Doubt& doubt) {
  HF_TRY_ASSIGN(const auto found, kernel::cgroups_with_attribute(root, attribute, value));
  for (const std::string& directory : found) {
    const auto id = kernel::cgroup_id(directory);
    if (!id) continue;  // gone
    if (doubt && !doubt(directory).empty()) continue;
    const int code = bpf_map_update_elem(map_fd, &*id, entry, BPF_NOEXIST);
    if (code != 0 && code != -EEXIST) return failed(code, "learn", directory);
  }
  return {};
}

Result<std::vector<MarkEntry>> mark_entries(const std::vector<MarkBinding>& marks,
                                            std::uint64_t generation) {
  if (marks.size() > HF_MARKS_MAX)
    return Error{E2BIG, "bind marks", marks.back().name, "too many marks"};
  std::vector<MarkEntry> entries;
  for (const MarkBinding& mark : marks) {
    if (mark.name.size() >= HF_MARK_NAME)
      return Error{E2BIG, "bind marks", mark.name, "the name is too long"};
    MarkEntry entry = {};
    entry.key.generation = generation;
    std::memcpy(entry.key.name, mark.name.data(), mark.name.size());
    entry.mark.id = digest_of(mark.name) | 1;
    entry.mark.profile = mark.profile;
    entries.push_back(entry);
  }
  return entries;
}

Result<void> insert(const MarkMaps& maps, const std::vector<MarkEntry>& marks) {
  for (const MarkEntry& entry : marks) {
    const hf_mark_id_key id = id_key(entry);
    if (const int code = bpf_map_update_elem(maps.names, &entry.key, &entry.mark, BPF_NOEXIST);
        code != 0)
      return failed(code, "bind mark", entry.key.name);
    if (const int code = bpf_map_update_elem(maps.ids, &id, &entry.mark, BPF_NOEXIST); code != 0)
      return failed(code, "bind mark", entry.key.name);
  }
  return {};
}

Result<void> record_marked_cgroups(int map_fd, const std::string& cgroup_root,
                                   const std::vector<MarkEntry>& marks, const Warn& warn) {
  for (const MarkEntry& entry : marks) {
    const std::string name = entry.key.name;
    const Doubt doubt = [&](const std::string& directory) {
      auto why = name.starts_with(kUserNames) ? doubt_about_cgroup(cgroup_root, directory) : "";
      if (!why.empty())
        warn(directory + ": its mark " + name + " does not count, since " + why +
             ": set it again while this policy is live");
      return why;
    };
    HF_TRY(record_cgroups(map_fd, &entry.mark.id, cgroup_root, name, std::nullopt, doubt));
  }
  return {};
}

// The programs cannot read an attribute, and this process does not know a file as they do. So it
// asks twice: the second time the programs note which file was asked about.
Result<void> learn_marks(const MarkMaps& maps, const std::string& cgroup_root,
                         const std::vector<MarkEntry>& marks, const Warn& warn) {
  if (marks.empty()) return {};
  auto recorded = record_marked_cgroups(maps.cgroups, cgroup_root, marks, warn);
  std::vector<std::string> names;
  names.reserve(marks.size());
  for (const MarkEntry& entry : marks) names.emplace_back(entry.key.name);
  const std::uint32_t zero = 0;
  const auto self = static_cast<std::uint32_t>(getpid());
  const auto teach = [&](int fd, const std::string& name) {
    struct stat file = {};
    if (fstat(fd, &file) != 0) return;
    const std::string path = path_of(fd);
    if (auto why = written_by_others(path, file); !why.empty()) {
      warn(path + ": its mark " + name + " does not count, since " + why);
      return;
    }
    bpf_map_update_elem(maps.learner, &zero, &self, BPF_ANY);
    (void)kernel::has_attribute(fd, name);
    bpf_map_update_elem(maps.learner, &zero, &zero, BPF_ANY);
  };
  for (const char* place : kPlaces) kernel::for_each_executable_with(place, names, teach);
  return recorded;
}

}  // namespace holdfast::backend::lsm
