// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Fd> open_for_reading(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> open_path(const std::string& path, FinalLink link) {
  Fd fd(open(path.c_str(), O_PATH | O_CLOEXEC | (link == FinalLink::keep ? O_NOFOLLOW : 0)));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> open_for_appending(const std::string& path) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<void> append_all(int fd, std::string_view text) {
  const off_t before = lseek(fd, 0, SEEK_END);
  ssize_t written = 0;
  do written = write(fd, text.data(), text.size());
  while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) return {};
  Error failed = written < 0 ? system_error("write") : Error{ENOSPC, "write", {}, {}};
  if (written > 0 && before >= 0 && ftruncate(fd, before) != 0) return system_error("truncate");
  return failed;
}

Result<void> make_directories(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return Error{failed.value(), "make directory", directory, {}};
  return {};
}

namespace {

std::string temporary_of(const std::string& path) { return path + ".new"; }

// Writes and syncs PATH.new.
Result<void> prepare_file(const std::string& path, std::string_view text, unsigned mode) {
  // Another process may have an older file of this name open.
  const std::string temporary = temporary_of(path);
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return system_error("write", temporary);
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd || fchmod(fd.get(), mode) != 0) return system_error("write", temporary);
  while (!text.empty()) {
    const ssize_t written = write(fd.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      Error failed = system_error("write", temporary);
      unlink(temporary.c_str());
      return failed;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(fd.get()) != 0) {
    Error failed = system_error("sync", temporary);
    unlink(temporary.c_str());
    return failed;
  }
  return {};
}

// Without the sync of the directory two renames may reach the disk in the other order. A failure of
// this sync is ignored: readers already see the new file.
void sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) (void)fsync(fd.get());
}

}  // namespace

Result<void> rename_file(const std::string& path) {
  const std::string temporary = temporary_of(path);
  if (rename(temporary.c_str(), path.c_str()) != 0) return system_error("rename", temporary);
  sync_directory_of(path);
  return {};
}

void discard_prepared(const std::string& path) { unlink(temporary_of(path).c_str()); }

Result<void> remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove", path);
  sync_directory_of(path);
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view text, unsigned mode) {
  HF_TRY(prepare_file(path, text, mode));
  return rename_file(path);
}

Result<void> prepare_files(const std::vector<NewFile>& files, unsigned mode) {
  for (std::size_t i = 0; i < files.size(); i++) {
    auto prepared = prepare_file(files[i].path, files[i].text, mode);
    if (prepared) continue;
    for (std::size_t made = 0; made < i; made++) discard_prepared(files[made].path);
    return prepared;
  }
  return {};
}

Result<void> replace_files(const std::vector<NewFile>& files, unsigned mode) {
  HF_TRY(prepare_files(files, mode));
  for (const NewFile& file : files) HF_TRY(rename_file(file.path));
  return {};
}

Result<Fd> lock_file(const std::string& path, Lock lock) {
  HF_TRY(make_directories(path.substr(0, path.rfind('/'))));
  Fd fd(open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return system_error("open", path);
  const int operation = (lock == Lock::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (flock(fd.get(), operation) != 0) return system_error("lock", path);
  return fd;
}

Result<std::vector<std::string>> directories_below(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::string> found = {directory};
  std::error_code failed;
  for (fs::recursive_directory_iterator at(directory, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed))
    if (at->symlink_status(failed).type() == fs::file_type::directory)
      found.push_back(at->path().string());
  if (failed) return Error{failed.value(), "read directory", directory, {}};
  return found;
}

Result<bool> has_other_writers(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found = {};
  if (!fd || fstat(fd.get(), &found) != 0) return system_error("open", path);
  if (found.st_nlink > 1) return true;
  // An open for writing would break the lease and signal this process. SIGURG is ignored by
  // default.
  if (fcntl(fd.get(), F_SETSIG, SIGURG) != 0) return true;
  if (fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0) return true;
  return fcntl(fd.get(), F_SETLEASE, F_UNLCK) != 0;
}

}  // namespace holdfast::kernel
