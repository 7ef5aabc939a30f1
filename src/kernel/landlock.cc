// SPDX-License-Identifier: Apache-2.0
#include "kernel/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

// Nothing but "refer", and that allowed everywhere: the tree keeps every right it had except
// mount().
Result<void> allow_refer_everywhere(int ruleset_fd) {
  const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_error("open", "/");
  const landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_REFER,
                                           .parent_fd = root.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return system_error("landlock_add_rule", "/");
  return {};
}

}  // namespace

Result<int> landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) return system_error("landlock_create_ruleset");
  return static_cast<int>(abi);
}

Result<Fd> make_wall_ruleset(int abi) {
  landlock_ruleset_attr attributes = {};
  std::size_t length = sizeof(attributes.handled_access_fs);
  if (abi >= kLandlockScopeAbi) {
    attributes.scoped = LANDLOCK_SCOPE_SIGNAL | LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
    length = sizeof(attributes);
  } else {
    attributes.handled_access_fs = LANDLOCK_ACCESS_FS_REFER;
  }
  Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, length, 0)));
  if (!ruleset) return system_error("landlock_create_ruleset");
  if (abi < kLandlockScopeAbi) {
    auto allowed = allow_refer_everywhere(ruleset.get());
    if (!allowed) return allowed.error();
  }
  return ruleset;
}

}  // namespace holdfast::kernel
