// SPDX-License-Identifier: Apache-2.0
// Creates, replaces, appends to and locks files so that a crash leaves no partial file.
#ifndef HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H
#define HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Opens a file or a directory, read-only. Errors: of open(2).
[[nodiscard]] Result<Fd> open_for_reading(const std::string& path);

// An O_PATH descriptor, which can identify a file but not read it. FinalLink::keep opens a symbolic
// link at the end of `path` itself (O_NOFOLLOW). Errors: of open(2).
enum class FinalLink { follow, keep };
[[nodiscard]] Result<Fd> open_path(const std::string& path, FinalLink link);

// Creates the file with mode 0640, minus the umask, when it does not exist. Errors: of open(2).
[[nodiscard]] Result<Fd> open_for_appending(const std::string& path);
// Appends all of `text` or nothing: after a partial write the file is truncated to its old length.
// There must be one writer. Errors: of write(2); ENOSPC, a partial write; of ftruncate(2), a
// partial write that could not be undone.
[[nodiscard]] Result<void> append_all(int fd, std::string_view text);

// Creates the directory and its missing parents, with mode 0777 minus the umask. Errors: of
// mkdir(2).
[[nodiscard]] Result<void> make_directories(const std::string& directory);

// Writes a new file PATH.new, syncs it, renames it to `path`, and syncs the directory. After a
// crash `path` has the old text or the new one. Removes an older PATH.new first. The mode is exact,
// without the umask. Errors: of unlink(2), open(2), fchmod(2), write(2), fsync(2), rename(2).
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text,
                                        unsigned mode = 0600);

// Replaces several files. All are written and synced before the first rename, so a full disk
// changes none. Errors: as replace_file(). After an error of rename(2), some files may be new and
// some old.
struct NewFile {
  std::string path;
  std::string text;
};
[[nodiscard]] Result<void> replace_files(const std::vector<NewFile>& files, unsigned mode);

// The two halves of replace_files(), for a caller that keeps a record between them. prepare_files()
// writes and syncs PATH.new of each file, or after an error removes them again. rename_file()
// renames PATH.new to PATH, and syncs the directory. Errors: as replace_file(); ENOENT there is no
// PATH.new.
[[nodiscard]] Result<void> prepare_files(const std::vector<NewFile>& files, unsigned mode);
[[nodiscard]] Result<void> rename_file(const std::string& path);
// Removes PATH.new of a file, if it exists.
void discard_prepared(const std::string& path);
// Removes the file, if it exists, and syncs the directory. Errors: of unlink(2).
[[nodiscard]] Result<void> remove_file(const std::string& path);

// Creates the file, with mode 0600, and the directories above it, and locks it with flock(2). The
// lock lasts until the descriptor is closed. Does not wait. Errors: EWOULDBLOCK, another process
// has a conflicting lock; of make_directories() and open(2).
enum class Lock { shared, exclusive };
[[nodiscard]] Result<Fd> lock_file(const std::string& path, Lock lock);

// The paths of `directory` and all directories below it. Symbolic links are not followed. Errors:
// of opendir(3), readdir(3).
[[nodiscard]] Result<std::vector<std::string>> directories_below(const std::string& directory);

// Whether a file can be changed without its directory's guard: it has another hard link, or a
// process has it open or mapped for writing. `path` is a regular file that the caller itself does
// not have open for writing. True also when the kernel grants no lease. Source: F_SETLEASE,
// fcntl(2). Errors: of open(2), fstat(2).
[[nodiscard]] Result<bool> has_other_writers(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_ATOMIC_FILE_H
