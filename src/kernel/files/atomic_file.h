// SPDX-License-Identifier: Apache-2.0
// Files that are there whole or not at all.
#ifndef HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H
#define HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// A file or a directory. Errors: of open(2).
[[nodiscard]] Result<Fd> open_for_reading(const std::string& path);

// What is there, a symbolic link itself too, only to be told from others: O_PATH. Errors: of
// open(2).
enum class FinalLink { follow, keep };
[[nodiscard]] Result<Fd> refer_to(const std::string& path, FinalLink link);

// Made with mode 0640 when it is not there. Errors: of open(2).
[[nodiscard]] Result<Fd> open_for_appending(const std::string& path);
// All of it or nothing: what a full disk took of it is cut off again. Errors: of write(2); ENOSPC.
[[nodiscard]] Result<void> append_all(int fd, std::string_view text);

// Makes the directory and those above it, those that are missing with mode 0755.
[[nodiscard]] Result<void> make_directories(const std::string& directory);

// Writes to a new temporary file, syncs, and renames it to `path`: after a crash the old text is
// there or the new one. Errors: of open(2), write(2), fsync(2), rename(2).
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text,
                                        unsigned mode = 0600);

// Several files: all are written and synced before the first is renamed to its path, so that a full
// disk changes none. Errors: as replace_file(); only those of rename(2) leave some that are new.
struct NewFile {
  std::string path;
  std::string text;
};
[[nodiscard]] Result<void> replace_files(const std::vector<NewFile>& files, unsigned mode);

// Makes the file, with mode 0600, and locks it until the descriptor is closed; does not wait.
// Source: flock(2). Errors: EWOULDBLOCK another has it; what making the directory and open(2) gave.
enum class Lock { shared, exclusive };
[[nodiscard]] Result<Fd> lock_file(const std::string& path, Lock lock);

// The directory and all directories below it, with their paths; links are not followed.
[[nodiscard]] Result<std::vector<std::string>> directories_below(const std::string& directory);

// Has anybody but the caller a way to it that its directory's guard does not see: another name, or
// a descriptor or mapping that writes? `path` is a regular file that the caller itself has not open
// for writing. Yes, when it cannot be told. Source: F_SETLEASE in fcntl(2). Errors: of open(2).
[[nodiscard]] Result<bool> is_reachable_elsewhere(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H
