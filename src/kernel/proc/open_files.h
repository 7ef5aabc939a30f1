// SPDX-License-Identifier: Apache-2.0
// What a process has open, as /proc shows it.
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
  std::string target;  // what the link says: a path, or "anon_inode:…"
};

// Descriptors that are closed meanwhile are left out. Errors: ENOENT no such process; EACCES.
[[nodiscard]] Result<std::vector<OpenFile>> open_files(pid_t pid);

// What one of this process's descriptors names, as /proc/self/fd shows it. Errors: those of
// readlink(2).
[[nodiscard]] Result<std::string> path_of_descriptor(int fd);

// /proc/PID/fdinfo/N for /proc/PID/fd/N.
[[nodiscard]] std::string fdinfo_path(const std::string& fd_path);

// The id of the mount that `path` lies on, as mountinfo counts. Errors: those of open(2).
[[nodiscard]] Result<std::uint64_t> mount_id(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_OPEN_FILES_H
