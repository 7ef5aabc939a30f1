// SPDX-License-Identifier: Apache-2.0
// A BPF filesystem with delegation, and tokens made from it (kernel/bpf/inode.c, kernel/bpf/token.c;
// Linux 6.9).
//
// Two parties make one. A task in the user namespace that shall own the filesystem opens the
// context and mounts it; a task with CAP_SYS_ADMIN in the initial user namespace configures and
// creates it in between, through the same descriptor. The kernel refuses either one alone (EPERM).
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

// A filesystem context for bpffs; its owner is the caller's user namespace.
// Errors: EPERM without CAP_SYS_ADMIN over the caller's mount namespace.
[[nodiscard]] Result<Fd> open_bpffs_context();

// Sets the options and creates the superblock. Errors: EPERM for delegation without CAP_SYS_ADMIN
// in the initial user namespace; EINVAL for an unknown word. Kernels before 6.9 ignore delegate_*:
// ask probe_bpf_tokens() first.
[[nodiscard]] Result<void> create_bpffs(int context_fd, const std::vector<FsOption>& options);

// A mount of the created filesystem, attached nowhere; an O_PATH descriptor.
[[nodiscard]] Result<Fd> mount_bpffs(int context_fd);

// Attaches a detached mount at `path` in the caller's mount namespace. With a root that is not
// empty, `path` and every symbolic link on it are resolved as if that were "/" (openat2(2),
// RESOLVE_IN_ROOT).
[[nodiscard]] Result<void> attach_mount(int mount_fd, const std::string& root,
                                        const std::string& path);

// Detaches what is mounted at `path`.
[[nodiscard]] Result<void> detach_mount(const std::string& path);

// A token for what the filesystem delegates. `root_fd` is its root directory, not O_PATH.
// Errors: ENOENT nothing is delegated; EOPNOTSUPP the initial user namespace owns the filesystem;
// EPERM another user namespace does, or CAP_BPF is missing in it.
[[nodiscard]] Result<Fd> create_bpf_token(int root_fd);

// Whether this kernel knows tokens. By the command, never by a mount option: 6.1 accepts
// delegate_* silently. Errors: ENOSYS it does not.
[[nodiscard]] Result<void> probe_bpf_tokens();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPFFS_H
