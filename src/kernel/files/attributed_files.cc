// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/attributed_files.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <memory>

namespace holdfast::kernel {

void for_each_executable_with(const std::string& directory, std::span<const std::string> names,
                              const std::function<void(int fd, const std::string& name)>& found) {
  std::string root = directory;
  char* const roots[] = {root.data(), nullptr};
  const std::unique_ptr<FTS, decltype(&fts_close)> walk(
      fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr), &fts_close);
  if (!walk) return;
  while (const FTSENT* entry = fts_read(walk.get())) {
    if (entry->fts_info != FTS_F || (entry->fts_statp->st_mode & 0111) == 0) continue;
    for (const std::string& name : names) {
      if (lgetxattr(entry->fts_path, name.c_str(), nullptr, 0) < 0) continue;
      const Fd fd(open(entry->fts_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (fd && has_attribute(fd.get(), name)) found(fd.get(), name);
    }
  }
}

bool has_attribute(int fd, const std::string& name) {
  return fgetxattr(fd, name.c_str(), nullptr, 0) >= 0;
}

}  // namespace holdfast::kernel
