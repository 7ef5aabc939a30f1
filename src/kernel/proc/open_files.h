// SPDX-License-Identifier: Apache-2.0
// The open files of a process, from /proc/PID/fd.
#ifndef HOLDFAST_KERNEL_PROC_OPEN_FILES_H
#define HOLDFAST_KERNEL_PROC_OPEN_FILES_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

struct OpenFile {
  int number;          // N
  std::string path;    // /proc/PID/fd/N
  std::string target;  // the link's text, at most 4096 bytes: a path, or "anon_inode:…"
};

// Omits descriptors that are closed during the call. Errors: ENOENT, no such process; EACCES, the
// caller may not trace it.
[[nodiscard]] Result<std::vector<OpenFile>> open_files(pid_t pid);

// The path of one of this process's descriptors, as /proc/self/fd shows it, at most 4096 bytes.
// Errors: of readlink(2).
[[nodiscard]] Result<std::string> path_of_descriptor(int fd);

// Pure. "/proc/PID/fdinfo/N" for "/proc/PID/fd/N".
[[nodiscard]] std::string fdinfo_path(const std::string& fd_path);

// The id of the mount that contains `path`, as in mountinfo. Errors: of statx(2).
[[nodiscard]] Result<std::uint64_t> mount_id(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_OPEN_FILES_H
