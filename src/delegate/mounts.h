// SPDX-License-Identifier: Apache-2.0
// Lists existing delegations: BPF file systems in a mountinfo, and tokens among the descriptors of
// a process.
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
  std::string path;      // mount point, below the root directory of the mountinfo's process
  std::string options;   // of the file system, as the kernel printed them
  Set set;
};

// Pure. The mounts of type bpf in the text of a mountinfo (proc_pid_mountinfo(5)), with and without
// delegation. Errors: EINVAL, a line cannot be parsed, or the vocabulary lacks a word.
[[nodiscard]] Result<std::vector<Mount>> parse_mountinfo(std::string_view text,
                                                         const Vocabulary& vocabulary);

// The BPF mounts in the mount namespace of a process. Errors: ENOENT or ESRCH, no such process; as
// parse_mountinfo().
[[nodiscard]] Result<std::vector<Mount>> mounts_of(pid_t pid, const Vocabulary& vocabulary);

// The BPF mounts in the caller's mount namespace. Errors: as mounts_of().
[[nodiscard]] Result<std::vector<Mount>> mounts_here(const Vocabulary& vocabulary);

// The BPF mount that contains `path`. `path` may start with /proc/PID/root. Errors: of statx(2);
// EINVAL, `path` is not on a BPF file system.
[[nodiscard]] Result<Mount> mount_of(const std::string& path, const Vocabulary& vocabulary);

struct Token {
  std::string path;  // /proc/PID/fd/N
  Set set;
};

// Pure. Parses the allowed_* lines of a token's fdinfo. Errors: EINVAL, the text is not of a token.
[[nodiscard]] Result<Set> parse_token_fdinfo(std::string_view text);

// The token at `path`, which is /proc/PID/fd/N. Errors: ENOENT; EACCES; EINVAL, not a token.
[[nodiscard]] Result<Token> token_of(const std::string& path);

// All tokens among the descriptors of a process. Errors: EACCES; ENOENT or ESRCH, no such process.
[[nodiscard]] Result<std::vector<Token>> tokens_of(pid_t pid);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_MOUNTS_H
