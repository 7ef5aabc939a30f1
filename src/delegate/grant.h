// SPDX-License-Identifier: Apache-2.0
// Makes a BPF filesystem with delegation for a user namespace that exists.
#ifndef HOLDFAST_DELEGATE_GRANT_H
#define HOLDFAST_DELEGATE_GRANT_H

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "delegate/set.h"

namespace holdfast::delegate {

struct Grant {
  pid_t pid = 0;  // whose user namespace owns it and whose mount namespace shows it; 0: see below
  std::string user_ns = {};  // with pid 0: a file such as /proc/PID/ns/user; shown in the caller's
                             // mount namespace
  std::string at = "/sys/fs/bpf";  // an existing directory there
  // Of a container that has not changed its root yet: `at` is resolved inside this directory, so
  // that a symbolic link of the container's image leads nowhere else. Empty: the namespace's root.
  std::string root = {};
  Set set = {};
};

// What the kernel printed for the new filesystem, read back from the mountinfo in which it appears.
// Refuses (EINVAL) when that is not what was asked for. On error nothing stays mounted.
// Errors: ENOSYS this kernel has no tokens; ESRCH the pid is gone; EOPNOTSUPP the initial user
// namespace; EINVAL no user namespace, an empty set, bits the kernel does not know; EPERM without
// CAP_SYS_ADMIN in the initial user namespace; those of mounting.
// The caller has one thread.
[[nodiscard]] Result<std::string> grant(const Grant& what, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_GRANT_H
