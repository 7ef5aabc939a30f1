// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/cgroup_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <string_view>

#include "base/text.h"
#include "kernel/files/text_file.h"
#include "kernel/proc/mount_table.h"
#include "kernel/proc/open_files.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

std::string link_of_descriptor(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool same_file(int fd, const std::string& path) {
  struct stat one = {};
  struct stat other = {};
  return fstat(fd, &one) == 0 && stat(path.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// Does not ask a server of the file system.
std::optional<dev_t> device_of(int fd) {
  struct statx facts = {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) != 0)
    return std::nullopt;
  return makedev(facts.stx_dev_major, facts.stx_dev_minor);
}

// Joins "/a" and "/b/c" to "/a/b/c"; "/" adds nothing.
std::string join_paths(const std::string& first, const std::string& second) {
  if (first == "/") return second.empty() ? first : second;
  return second == "/" ? first : first + second;
}

// isspace() of the kernel, whose table is Latin-1 (lib/ctype.c).
bool is_space(char byte) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r\xa0";
  return kSpaces.find(byte) != std::string_view::npos;
}

// 16: not a digit.
unsigned digit_value(char byte) {
  if (byte >= '0' && byte <= '9') return static_cast<unsigned>(byte - '0');
  const char lower = static_cast<char>(byte | 0x20);
  if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a') + 10;
  return 16;
}

// _kstrtoull() with base 0. nullopt also for a number that does not fit pid_t.
std::optional<std::int64_t> parse_digits(std::string_view digits) {
  unsigned base = 10;
  if (digits.starts_with('0')) {
    const bool hexadecimal =
        digits.size() > 2 && (digits[1] | 0x20) == 'x' && digit_value(digits[2]) < 16;
    base = hexadecimal ? 16 : 8;
    if (hexadecimal) digits.remove_prefix(2);
  }
  if (digits.empty()) return std::nullopt;
  std::int64_t number = 0;
  for (const char byte : digits) {
    const unsigned value = digit_value(byte);
    if (value >= base) return std::nullopt;
    number = number * base + value;
    if (number > std::numeric_limits<pid_t>::max()) return std::nullopt;
  }
  return number;
}

}  // namespace

std::optional<pid_t> parse_task_number(std::string_view text) {
  text = text.substr(0, std::min(text.find('\0'), text.size()));
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto number = parse_digits(text);
  if (!number || (negative && *number != 0)) return std::nullopt;
  return static_cast<pid_t>(*number);
}

std::optional<Hierarchy> hierarchy_of(int fd) {
  struct statfs facts = {};
  if (fstatfs(fd, &facts) != 0) return std::nullopt;
  if (facts.f_type == CGROUP2_SUPER_MAGIC) return Hierarchy::unified;
  if (facts.f_type == CGROUP_SUPER_MAGIC) return Hierarchy::v1;
  return std::nullopt;
}

Result<CgroupMounts> CgroupMounts::read() {
  constexpr char kMountInfo[] = "/proc/self/mountinfo";
  CgroupMounts mounts;
  // Open this before the mounts are read, so that no later change is missed.
  mounts.changes_.reset(::open(kMountInfo, O_RDONLY | O_CLOEXEC));
  if (!mounts.changes_) return system_error("open", kMountInfo);
  HF_TRY_ASSIGN(const auto entries, mount_table());
  for (const MountEntry& entry : entries) {
    if (entry.type != "cgroup" && entry.type != "cgroup2") continue;
    mounts.points_.push_back(entry.point);
    if (entry.type == "cgroup") continue;
    mounts.parts_.push_back({entry.root, entry.point});
    // Another file system may be mounted over it, or over a directory above it.
    const Fd point(::open(entry.point.c_str(), O_PATH | O_CLOEXEC));
    if (!point || hierarchy_of(point.get()) != Hierarchy::unified) continue;
    mounts.unified_device_ = device_of(point.get());
    if (entry.root == "/" && mounts.unified_.empty()) mounts.unified_ = entry.point;
  }
  return mounts;
}

bool CgroupMounts::has_new_mount() {
  pollfd change = {.fd = changes_.get(), .events = POLLPRI, .revents = 0};
  if (grown_ || poll(&change, 1, 0) == 0) return grown_;
  const auto entries = mount_table();
  grown_ = !entries || std::ranges::any_of(*entries, [&](const MountEntry& entry) {
    const bool hierarchy = entry.type == "cgroup" || entry.type == "cgroup2";
    return hierarchy && std::ranges::find(points_, entry.point) == points_.end();
  });
  return grown_;
}

// The path in the link may be wrong, because mounts cover one another and namespaces differ. It is
// used only if the same file is at that path.
Result<CgroupFile> CgroupMounts::file(int fd) const {
  HF_TRY_ASSIGN(const auto shown, path_of_descriptor(fd));
  const Error unknown{ESTALE, "find the cgroup of", shown, "it is in no known mount"};
  for (const Unified& part : parts_) {
    if (unified_.empty() || !shown.starts_with(part.point + "/")) continue;
    const std::string path = join_paths(part.root, shown.substr(part.point.size()));
    const std::size_t slash = path.rfind('/');
    const std::string cgroup = slash == 0 ? "/" : path.substr(0, slash);
    if (!same_file(fd, join_paths(unified_, path))) continue;
    const auto number = id(cgroup);
    if (!number) return unknown;
    return CgroupFile{*number, cgroup, path.substr(slash + 1)};
  }
  return unknown;
}

Result<CgroupId> CgroupMounts::id(const std::string& path) const {
  return cgroup_id(join_paths(unified_, path));
}

Result<Fd> find_file(int base_fd, const std::string& path, int flags, std::uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<__u64>(O_PATH | O_CLOEXEC | flags);
  how.resolve = resolve;
  Fd fd(static_cast<int>(syscall(SYS_openat2, base_fd, path.c_str(), &how, sizeof(how))));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> reopen(int fd, int flags) {
  Fd again(open(link_of_descriptor(fd).c_str(), flags | O_CLOEXEC));
  if (!again) return system_error("open again");
  return again;
}

Result<std::vector<std::string>> writable_cgroup_files() {
  HF_TRY_ASSIGN(const auto files, open_files(own_pid()));
  std::vector<std::string> found;
  for (const OpenFile& file : files) {
    const int flags = fcntl(file.number, F_GETFL);
    if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY) continue;
    if (hierarchy_of(file.number))
      found.push_back(std::to_string(file.number) + ": " + file.target);
  }
  return found;
}

// holdfast's own descriptors are close-on-exec. A process whose root directory is not the root of
// its mount namespace has no entry for the mount of its root directory.
Result<std::vector<std::string>> files_beyond_mounts() {
  HF_TRY_ASSIGN(const auto files, open_files(own_pid()));
  HF_TRY_ASSIGN(const auto entries, mount_table());
  HF_TRY_ASSIGN(const auto root, mount_id("/"));
  const auto seen = [&](std::uint64_t id) {
    return id == root ||
           std::ranges::any_of(entries, [&](const MountEntry& entry) { return entry.id == id; });
  };
  std::vector<std::string> found;
  for (const OpenFile& file : files) {
    const int flags = fcntl(file.number, F_GETFD);
    struct stat facts = {};
    if (flags < 0 || (flags & FD_CLOEXEC) || fstat(file.number, &facts) != 0) continue;
    if (!S_ISDIR(facts.st_mode) && !hierarchy_of(file.number)) continue;
    HF_TRY_ASSIGN(const auto id, mount_id(file.path));
    if (!seen(id)) found.push_back(std::to_string(file.number) + ": " + file.target);
  }
  HF_TRY_ASSIGN(const auto working, mount_id("."));
  if (!seen(working)) found.emplace_back("working directory");
  return found;
}

Result<void> move_task(int file_fd, pid_t number) {
  HF_TRY_ASSIGN(const auto fd, reopen(file_fd, O_WRONLY));
  const std::string text = std::to_string(number);
  if (write(fd.get(), text.data(), text.size()) < 0) return system_error("move task");
  return {};
}

Result<std::vector<pid_t>> tasks_in(int file_fd) {
  HF_TRY_ASSIGN(const auto text, read_text_file(link_of_descriptor(file_fd)));
  std::vector<pid_t> found;
  std::istringstream lines(text);
  for (pid_t number = 0; lines >> number;) found.push_back(number);
  if (!lines.eof()) return Error{EPROTO, "read tasks", {}, {}};
  return found;
}

}  // namespace holdfast::kernel
