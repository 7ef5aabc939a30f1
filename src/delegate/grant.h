// SPDX-License-Identifier: Apache-2.0
// Mounts a BPF file system with delegation for an existing user namespace.
#ifndef HOLDFAST_DELEGATE_GRANT_H
#define HOLDFAST_DELEGATE_GRANT_H

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "delegate/set.h"

namespace holdfast::delegate {

struct Grant {
  // The process whose user namespace owns the file system, and in whose mount namespace it is
  // mounted. 0: use `user_ns`.
  pid_t pid = 0;
  // Only with pid 0: a user namespace file such as /proc/PID/ns/user. The file system is mounted in
  // the caller's mount namespace.
  std::string user_ns = {};
  std::string at = "/sys/fs/bpf";  // an existing directory; absolute
  // For a container that has not changed its root directory yet: `at` is resolved inside this
  // directory. So symbolic links of the container's image cannot lead out of it. Empty: the root of
  // the mount namespace.
  std::string root = {};
  Set set = {};
};

// Mounts the file system. Returns the delegation options that the kernel shows for it in mountinfo.
// If they differ from the request, or on any other error, it unmounts the file system again.
// Errors: ENOSYS, this kernel has no tokens; ESRCH, no such process; EOPNOTSUPP, the process or
// file is in the initial user namespace; EINVAL, not a user namespace, an empty set, bits that the
// kernel does not know, a relative path, or the mounted options differ; EPERM, the caller lacks
// CAP_SYS_ADMIN in the initial user namespace; of call_in_namespaces(), kernel/bpf/bpffs.h. Forks:
// the caller must have one thread.
[[nodiscard]] Result<std::string> grant(const Grant& what, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_GRANT_H
