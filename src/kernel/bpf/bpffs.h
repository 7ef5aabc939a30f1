// SPDX-License-Identifier: Apache-2.0
// Creates BPF file systems with delegation, and BPF tokens (kernel/bpf/inode.c, kernel/bpf/token.c;
// Linux 6.9).
//
// Creating one needs two tasks. A task in the user namespace that will own the file system opens
// the context. A task with CAP_SYS_ADMIN in the initial user namespace configures and creates the
// file system, through the same descriptor. Then the first task mounts it. The kernel refuses each
// task alone (EPERM).
#ifndef HOLDFAST_KERNEL_BPF_BPFFS_H
#define HOLDFAST_KERNEL_BPF_BPFFS_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

struct FsOption {
  std::string key;
  std::string value;
};

// A file system context for bpffs. The caller's user namespace will own the file system.
// Errors: EPERM without CAP_SYS_ADMIN over the caller's mount namespace.
[[nodiscard]] Result<Fd> open_bpffs_context();

// Sets the options and creates the superblock. Errors: EPERM, delegation without CAP_SYS_ADMIN in
// the initial user namespace; EINVAL, an unknown value. Kernels before 6.9 ignore delegate_*, so
// call probe_bpf_tokens() first.
[[nodiscard]] Result<void> create_bpffs(int context_fd, const std::vector<FsOption>& options);

// A detached mount of the created file system, as an O_PATH descriptor. Errors: of fsmount(2).
[[nodiscard]] Result<Fd> mount_bpffs(int context_fd);

// Attaches a detached mount at `path` in the caller's mount namespace. If `root` is not empty,
// `path` and every symbolic link in it are resolved with `root` as "/" (openat2(2),
// RESOLVE_IN_ROOT). Errors: of open(2), openat2(2), move_mount(2).
[[nodiscard]] Result<void> attach_mount(int mount_fd, const std::string& root,
                                        const std::string& path);

// Detaches the mount at `path`: umount2(2) with MNT_DETACH. Errors: of umount2(2).
[[nodiscard]] Result<void> detach_mount(const std::string& path);

// Creates a token with the rights that the file system delegates. `root_fd` is its root directory,
// not O_PATH. Errors: ENOENT, nothing is delegated; EOPNOTSUPP, the initial user namespace owns the
// file system; EPERM, another user namespace owns it, or the caller lacks CAP_BPF in it.
[[nodiscard]] Result<Fd> create_bpf_token(int root_fd);

// Succeeds if this kernel has BPF tokens. Tries the command, not a mount option, because Linux 6.1
// silently accepts delegate_*. Errors: ENOSYS, it has none.
[[nodiscard]] Result<void> probe_bpf_tokens();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPFFS_H
