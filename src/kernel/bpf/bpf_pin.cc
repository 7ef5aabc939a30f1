// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/bpf_pin.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "kernel/proc/sysctl.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

namespace {

constexpr unsigned kWaitStepUs = 1000;
constexpr int kWaitSteps = 5000;

bool on_bpf_filesystem(const std::string& path) {
  struct statfs info = {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

// Opens the path component by component. openat2(RESOLVE_NO_SYMLINKS) is not usable: systemd makes
// it fail with ENOSYS in services with RestrictSUIDSGID=, because a filter cannot read its flags.
Result<Fd> open_without_links(const std::string& path) {
  constexpr int kOpenFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(open(path.starts_with('/') ? "/" : ".", kOpenFlags));
  for (std::size_t at = 0; fd && at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    fd = Fd(openat(fd.get(), part.c_str(), kOpenFlags));
    struct stat found = {};
    if (!fd || fstat(fd.get(), &found) != 0) break;
    if (S_ISLNK(found.st_mode))
      return Error{ELOOP, "use pins", path,
                   "the path contains a symbolic link: give the real path"};
    if (!S_ISDIR(found.st_mode)) return Error{ENOTDIR, "use pins", path, {}};
  }
  if (!fd) return system_error("open directory", path);
  return fd;
}

}  // namespace

Result<void> mount_bpf_filesystem() {
  constexpr char kPlace[] = "/sys/fs/bpf";
  if (on_bpf_filesystem(kPlace)) return {};
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("bpf", kPlace, "bpf", kFlags, "mode=0700") != 0) return system_error("mount", kPlace);
  return {};
}

Result<void> make_pin_directory(const std::string& directory) {
  for (std::size_t at = directory.find('/', 1); at != 0;) {
    const std::string part = directory.substr(0, at);
    struct stat there = {};
    if (stat(part.c_str(), &there) != 0) {
      const auto slash = part.rfind('/');
      if (!on_bpf_filesystem(slash == 0 ? "/" : part.substr(0, slash)))
        return Error{ENOTSUP, "pin", directory,
                     "it is not on a BPF filesystem: mount -t bpf bpf /sys/fs/bpf"};
      if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("make directory", part);
    }
    if (at == std::string::npos) break;
    at = directory.find('/', at + 1);
  }
  if (!on_bpf_filesystem(directory))
    return Error{ENOTSUP, "pin", directory,
                 "it is not on a BPF filesystem: mount -t bpf bpf /sys/fs/bpf"};
  return {};
}

Result<bool> is_pin_directory(const std::string& directory) {
  auto opened = open_without_links(directory);
  if (!opened && opened.error().code == ENOENT) return false;
  if (!opened) return std::move(opened).error();
  const Fd fd = *std::move(opened);
  struct statfs info = {};
  if (fstatfs(fd.get(), &info) != 0) return system_error("open directory", directory);
  if (info.f_type != BPF_FS_MAGIC)
    return Error{ENOTSUP, "use pins", directory, "it is not on a BPF filesystem"};
  return true;
}

Result<Fd> lock_directory(const std::string& directory) {
  Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open directory", directory);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return system_error("lock", directory);
  return fd;
}

Result<void> pin_bpf(int fd, const std::string& path) {
  if (bpf_obj_pin(fd, path.c_str()) != 0) return system_error("pin", path);
  return {};
}

Result<Fd> open_pinned(const std::string& path) {
  Fd fd(bpf_obj_get(path.c_str()));
  if (!fd) return system_error("open pin", path);
  return fd;
}

Result<Fd> open_pinned_for_reading(const std::string& path) {
  LIBBPF_OPTS(bpf_obj_get_opts, options);
  options.file_flags = BPF_F_RDONLY;
  Fd fd(bpf_obj_get_opts(path.c_str(), &options));
  if (!fd) return system_error("open pin", path);
  return fd;
}

Result<void> remove_pin(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove pin", path);
  return {};
}

Result<void> remove_pin_directory(const std::string& directory) {
  HF_TRY_ASSIGN(const auto names, directory_entries(directory));
  for (const std::string& name : names) HF_TRY(remove_pin(directory + "/" + name));
  if (rmdir(directory.c_str()) != 0 && errno != ENOENT)
    return system_error("remove directory", directory);
  return {};
}

Result<std::vector<std::string>> directory_entries(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entries(directory, failed);
  if (failed.value() == ENOENT) return names;
  for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed))
    names.push_back(entries->path().filename().string());
  if (failed) return Error{failed.value(), "read directory", directory, {}};
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

// BPF_OBJ_GET_INFO_BY_FD succeeds for every kind of object and returns another struct for each, so
// the kind must be known first.
Result<BpfKind> bpf_kind(int fd) {
  std::array<char, 64> text = {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (readlink(path.c_str(), text.data(), text.size() - 1) < 0) return system_error("read", path);
  const std::string_view name = text.data();
  if (name == "anon_inode:bpf-map") return BpfKind::map;
  if (name == "anon_inode:bpf-prog") return BpfKind::program;
  if (name == "anon_inode:bpf_link" || name == "anon_inode:bpf-link") return BpfKind::link;
  return Error{EINVAL, "describe", std::string(name), {}};
}

Result<void> must_be(BpfKind wanted, int fd) {
  HF_TRY_ASSIGN(const auto kind, bpf_kind(fd));
  return kind == wanted ? Result<void>() : Error{EINVAL, "describe", {}, "another kind of pin"};
}

}  // namespace

Result<BpfId> bpf_id(int fd) {
  HF_TRY_ASSIGN(const auto kind, bpf_kind(fd));
  bpf_map_info map = {};
  bpf_prog_info program = {};
  bpf_link_info link = {};
  __u32 bytes = kind == BpfKind::map       ? sizeof(map)
                : kind == BpfKind::program ? sizeof(program)
                                           : sizeof(link);
  const int code = kind == BpfKind::map       ? bpf_map_get_info_by_fd(fd, &map, &bytes)
                   : kind == BpfKind::program ? bpf_prog_get_info_by_fd(fd, &program, &bytes)
                                              : bpf_link_get_info_by_fd(fd, &link, &bytes);
  if (code != 0) return system_error("describe pin");
  if (kind == BpfKind::map) return BpfId{kind, map.id, 0};
  if (kind == BpfKind::program) return BpfId{kind, program.id, 0};
  return BpfId{kind, link.id, link.prog_id};
}

Result<std::uint64_t> inode_number(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) return system_error("stat", path);
  return std::uint64_t{found.st_ino};
}

Result<void> attach_sysctl_program(int program_fd) {
  HF_TRY_ASSIGN(const auto root, open_whole_cgroup_hierarchy());
  if (bpf_prog_attach(program_fd, root.get(), BPF_CGROUP_SYSCTL, BPF_F_ALLOW_MULTI) != 0)
    return system_error("attach BPF program", "sysctl");
  return {};
}

Result<void> detach_sysctl_program(int program_fd) {
  HF_TRY_ASSIGN(const auto root, open_whole_cgroup_hierarchy());
  if (bpf_prog_detach2(program_fd, root.get(), BPF_CGROUP_SYSCTL) != 0 && errno != ENOENT)
    return system_error("detach BPF program", "sysctl");
  return {};
}

Result<MapShape> map_shape(int map_fd) {
  HF_TRY(must_be(BpfKind::map, map_fd));
  bpf_map_info info = {};
  __u32 bytes = sizeof(info);
  if (bpf_map_get_info_by_fd(map_fd, &info, &bytes) != 0) return system_error("describe map");
  return MapShape{info.type, info.key_size, info.value_size, info.max_entries};
}

Result<LinkShape> link_shape(int link_fd) {
  HF_TRY(must_be(BpfKind::link, link_fd));
  bpf_link_info info = {};
  __u32 bytes = sizeof(info);
  if (bpf_link_get_info_by_fd(link_fd, &info, &bytes) != 0) return system_error("describe link");
  const Fd program(bpf_prog_get_fd_by_id(info.prog_id));
  if (!program) return system_error("find program of link");
  bpf_prog_info of = {};
  bytes = sizeof(of);
  if (bpf_prog_get_info_by_fd(program.get(), &of, &bytes) != 0)
    return system_error("describe program");
  return LinkShape{info.prog_id, info.type, of.name};
}

Result<void> wait_for_program_end(std::uint32_t id) {
  for (int i = 0; i < kWaitSteps; i++) {
    const Fd still(bpf_prog_get_fd_by_id(id));
    if (!still && errno == ENOENT) return {};
    sleep_us(kWaitStepUs);
  }
  return Error{ETIMEDOUT, "wait for the end of a program", {}, "another process still uses it"};
}

Result<Fd> inner_map(int outer_fd) {
  const __u32 zero = 0;
  __u32 id = 0;
  if (bpf_map_lookup_elem(outer_fd, &zero, &id) != 0) return system_error("look up inner map");
  Fd map(bpf_map_get_fd_by_id(id));
  if (!map) return system_error("open inner map");
  return map;
}

Result<MappedValue> MappedValue::map(int map_fd, std::size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (data == MAP_FAILED) return system_error("map BPF map");
  return MappedValue(data, bytes);
}

void MappedValue::Unmap::operator()(void* data) const { munmap(data, bytes); }

}  // namespace holdfast::kernel
