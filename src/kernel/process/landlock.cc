// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/landlock.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

Result<void> allow(int ruleset_fd, int object_fd, std::uint64_t rights, const std::string& path) {
  const landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = object_fd};
  if (::syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return system_error("landlock_add_rule", path);
  return {};
}

// A ruleset with any handled right denies "refer" unless a rule permits it, so it is permitted on
// "/".
Result<void> allow_refer_everywhere(int ruleset_fd) {
  const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_error("open", "/");
  return allow(ruleset_fd, root.get(), LANDLOCK_ACCESS_FS_REFER, "/");
}

Result<Fd> make_ruleset(const landlock_ruleset_attr& attributes, int abi) {
  const std::size_t length =
      abi >= kLandlockScopeAbi ? sizeof(attributes) : sizeof(attributes.handled_access_fs);
  Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, length, 0)));
  if (!ruleset) return system_error("landlock_create_ruleset");
  return ruleset;
}

std::uint64_t scopes(int abi) {
  return abi >= kLandlockScopeAbi ? LANDLOCK_SCOPE_SIGNAL | LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET : 0;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory == "/" ? directory : directory + "/");
}

// Permits writing on each entry of `directory`, except on `without` and their parents.
Result<void> allow_writing_except(int ruleset_fd, const std::string& directory,
                                  const std::vector<std::string>& without) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), &::closedir);
  if (!entries) return system_error("read directory", directory);
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = (directory == "/" ? "" : directory) + "/" + name;
    if (std::ranges::find(without, path) != without.end()) continue;
    if (std::ranges::any_of(without, [&](const auto& one) { return is_below(one, path); })) {
      HF_TRY(allow_writing_except(ruleset_fd, path, without));
      continue;
    }
    const Fd object(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!object && (errno == ENOENT || errno == EACCES)) continue;  // nothing to write to
    if (!object) return system_error("open", path);
    struct stat facts = {};
    if (::fstat(object.get(), &facts) != 0) return system_error("stat", path);
    if (S_ISLNK(facts.st_mode)) continue;  // where it leads is asked about there
    HF_TRY(allow(ruleset_fd, object.get(), LANDLOCK_ACCESS_FS_WRITE_FILE, path));
  }
  return {};
}

}  // namespace

Result<int> landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) return system_error("landlock_create_ruleset");
  return static_cast<int>(abi);
}

bool landlock_rules_unix_sockets() {
  constexpr int kResolveUnixAbi = 9;
  const auto abi = landlock_abi();
  return abi && *abi >= kResolveUnixAbi;
}

Result<Fd> make_scope_ruleset(int abi) {
  const landlock_ruleset_attr attributes = {
      .handled_access_fs = abi >= kLandlockScopeAbi ? 0 : LANDLOCK_ACCESS_FS_REFER,
      .handled_access_net = 0,
      .scoped = scopes(abi)};
  auto ruleset = make_ruleset(attributes, abi);
  if (!ruleset || attributes.handled_access_fs == 0) return ruleset;
  HF_TRY(allow_refer_everywhere(ruleset->get()));
  return ruleset;
}

Result<Fd> make_cgroup_readonly_ruleset(int abi, const std::vector<std::string>& directories) {
  if (std::ranges::find(directories, "/") != directories.end())
    return Error{ENOTSUP, "make a directory read-only", "/", "it contains every file"};
  const landlock_ruleset_attr attributes = {
      .handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REFER,
      .handled_access_net = 0,
      .scoped = scopes(abi)};
  HF_TRY_ASSIGN(auto ruleset, make_ruleset(attributes, abi));
  HF_TRY(allow_refer_everywhere(ruleset.get()));
  HF_TRY(allow_writing_except(ruleset.get(), "/", directories));
  return ruleset;
}

}  // namespace holdfast::kernel
