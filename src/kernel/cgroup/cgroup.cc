// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "kernel/proc/open_files.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

namespace {

constexpr CgroupId kRootId = 1;          // cgroup_setup_root(): the first node of the hierarchy
constexpr int kHandleTypeKernfs = 0xfe;  // FILEID_KERNFS: a handle is the node's id

}  // namespace

Result<Fd> open_cgroup_root(const std::string& mount_point) {
  Fd fd(open(mount_point.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open cgroup hierarchy", mount_point);
  struct statfs fs = {};
  if (fstatfs(fd.get(), &fs) != 0) return system_error("statfs", mount_point);
  if (fs.f_type != CGROUP2_SUPER_MAGIC)
    return Error{EINVAL, "open cgroup hierarchy", mount_point,
                 "not the unified hierarchy (cgroup2)"};
  struct stat at = {};
  if (fstat(fd.get(), &at) != 0) return system_error("stat", mount_point);
  if (at.st_ino != kRootId)
    return Error{EXDEV, "open cgroup hierarchy", mount_point,
                 "only a part of the hierarchy is mounted here"};
  return fd;
}

Result<CgroupId> cgroup_id(const std::string& directory) {
  struct stat at = {};
  if (stat(directory.c_str(), &at) != 0) return system_error("stat cgroup", directory);
  return CgroupId{at.st_ino};
}

Result<std::string> cgroup_path(int root_fd, CgroupId id) {
  union {
    file_handle handle;
    std::array<char, sizeof(file_handle) + sizeof(CgroupId)> bytes;
  } named = {};
  named.handle.handle_bytes = sizeof(id);
  named.handle.handle_type = kHandleTypeKernfs;
  std::memcpy(named.handle.f_handle, &id, sizeof(id));
  // open_by_handle_at(2) does not accept an O_PATH descriptor for the mount.
  const Fd mount(openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!mount) return system_error("open cgroup hierarchy");
  const Fd fd(open_by_handle_at(mount.get(), &named.handle, O_PATH | O_CLOEXEC));
  if (!fd) return system_error("open cgroup by id", std::to_string(id));
  HF_TRY_ASSIGN(const auto root, path_of_descriptor(mount.get()));
  HF_TRY_ASSIGN(auto path, path_of_descriptor(fd.get()));
  if (!path.starts_with(root)) return Error{ESTALE, "resolve cgroup", std::to_string(id), path};
  // The link of a removed cgroup has this suffix. An existing cgroup may have such a name.
  constexpr std::string_view kRemoved = " (deleted)";
  struct stat at = {};
  if (path.ends_with(kRemoved) && (stat(path.c_str(), &at) != 0 || at.st_ino != id))
    path.resize(path.size() - kRemoved.size());
  const std::string below = path.substr(root == "/" ? 0 : root.size());
  return below.empty() ? std::string("/") : below;
}

namespace {

bool has_attribute(const std::string& directory, const std::string& name,
                   std::optional<std::string_view> value) {
  std::array<char, 256> text;
  if (!value) return getxattr(directory.c_str(), name.c_str(), nullptr, 0) >= 0;
  const ssize_t length = getxattr(directory.c_str(), name.c_str(), text.data(), text.size());
  return length >= 0 && std::string_view(text.data(), static_cast<std::size_t>(length)) == *value;
}

}  // namespace

Result<std::vector<std::string>> cgroups_with_attribute(const std::string& directory,
                                                        const std::string& name,
                                                        std::optional<std::string_view> value) {
  std::vector<std::string> found;
  std::vector<std::string> todo = {directory};
  while (!todo.empty()) {
    const std::string at = std::move(todo.back());
    todo.pop_back();
    if (has_attribute(at, name, value)) found.push_back(at);
    DIR* entries = opendir(at.c_str());
    if (entries == nullptr) {
      if (errno == ENOENT && at != directory) continue;
      return system_error("read cgroup", at);
    }
    while (const dirent* entry = readdir(entries)) {
      const std::string_view child = entry->d_name;
      if (entry->d_type == DT_DIR && child != "." && child != "..")
        todo.push_back(at + "/" + entry->d_name);
    }
    closedir(entries);
  }
  return found;
}

Result<void> make_cgroup(const std::string& directory) {
  if (mkdir(directory.c_str(), 0755) != 0) return system_error("make cgroup", directory);
  return {};
}

Result<void> remove_cgroup(const std::string& directory) {
  if (rmdir(directory.c_str()) != 0) return system_error("remove cgroup", directory);
  return {};
}

Result<void> move_process(const std::string& directory, pid_t pid) {
  const std::string path = directory + "/cgroup.procs";
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  const std::string text = std::to_string(pid);
  if (write(fd.get(), text.data(), text.size()) < 0) return system_error("move process", path);
  return {};
}

Result<IdleChild> IdleChild::fork() {
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0)
    for (;;) pause();
  return IdleChild(pid);
}

Result<IdleChild> IdleChild::fork_into(const std::string& directory) {
  const Fd fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open cgroup", directory);
  clone_args args = {};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(fd.get());
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0) return system_error("clone into cgroup", directory);
  if (pid == 0)
    for (;;) pause();
  return IdleChild(static_cast<pid_t>(pid));
}

IdleChild::IdleChild(IdleChild&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

IdleChild::~IdleChild() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  wait_for_end(pid_);
}

}  // namespace holdfast::kernel
