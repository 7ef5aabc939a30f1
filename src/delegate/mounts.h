// SPDX-License-Identifier: Apache-2.0
// Delegations that exist: BPF filesystems in a mountinfo, tokens in a process's descriptors.
#ifndef HOLDFAST_DELEGATE_MOUNTS_H
#define HOLDFAST_DELEGATE_MOUNTS_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "delegate/set.h"

namespace holdfast::delegate {

struct Mount {
  std::uint64_t id = 0;  // mount id, as /proc/PID/fdinfo shows it
  std::string path;      // mount point, in the view of the mountinfo's process
  std::string options;   // of the filesystem, as the kernel printed them
  Set set;
};

// The mounts of type bpf in the text of a mountinfo (proc_pid_mountinfo(5)), with and without
// delegation. Errors: EINVAL for a line that is not one, or an option that the vocabulary lacks.
[[nodiscard]] Result<std::vector<Mount>> parse_mountinfo(std::string_view text,
                                                         const Vocabulary& vocabulary);

// Those that the process sees. Errors: ENOENT, ESRCH: no such process.
[[nodiscard]] Result<std::vector<Mount>> mounts_of(pid_t pid, const Vocabulary& vocabulary);

// Those of the caller's mount namespace.
[[nodiscard]] Result<std::vector<Mount>> mounts_here(const Vocabulary& vocabulary);

// The one that `path` lies on. `path` may start with /proc/PID/root. Errors: those of open(2);
// EINVAL when it is no BPF filesystem.
[[nodiscard]] Result<Mount> mount_of(const std::string& path, const Vocabulary& vocabulary);

struct Token {
  std::string path;  // /proc/PID/fd/N
  Set set;
};

// The allowed_* lines of a token's fdinfo. Errors: EINVAL when it is no token's.
[[nodiscard]] Result<Set> parse_token_fdinfo(std::string_view text);

// `path` is /proc/PID/fd/N. Errors: ENOENT; EACCES; EINVAL: not a token.
[[nodiscard]] Result<Token> token_of(const std::string& path);

// Every token that the process holds. Errors: EACCES, ENOENT, ESRCH.
[[nodiscard]] Result<std::vector<Token>> tokens_of(pid_t pid);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_MOUNTS_H
