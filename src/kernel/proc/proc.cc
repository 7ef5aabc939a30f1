// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "kernel/files/text_file.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr std::array<const char*, kNamespaceLinkCount> kLinkPaths = {"ns/mnt",
                                                                     "ns/uts",
                                                                     "ns/ipc",
                                                                     "ns/user",
                                                                     "ns/pid",
                                                                     "ns/net",
                                                                     "ns/cgroup",
                                                                     "ns/time",
                                                                     "ns/pid_for_children",
                                                                     "ns/time_for_children"};

// Most files are smaller. "status" is not for a task in hundreds of groups, and "children" is not
// for one with hundreds of children.
constexpr std::size_t kFirstReadBytes = 4096;

// The whole file. A read that returns less than was asked for may be followed by more: procfs ends
// a read where a record does not fit.
Result<std::string> read_small(int directory_fd, const char* path) {
  const Fd fd(::openat(directory_fd, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  std::string text;
  for (std::size_t done = 0;;) {
    text.resize(std::max(kFirstReadBytes, done * 2));
    const ssize_t length = ::read(fd.get(), text.data() + done, text.size() - done);
    if (length < 0) return system_error("read", path);
    done += static_cast<std::size_t>(length);
    if (length == 0) {
      text.resize(done);
      return text;
    }
  }
}

// The number at the start of `text`. Text after it is ignored.
template <typename Number>
std::optional<Number> leading_number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

template <typename Number>
std::optional<Number> number_field(std::string_view text, std::string_view name, unsigned column) {
  auto value = field(text, name);
  for (; value && column > 0; column--) {
    const std::size_t tab = value->find('\t');
    if (tab == std::string_view::npos) return std::nullopt;
    value->remove_prefix(tab + 1);
  }
  if (!value) return std::nullopt;
  return leading_number<Number>(*value);
}

Result<FileCredentials> file_credentials_of(std::string_view status) {
  const auto uid = number_field<std::uint32_t>(status, "Uid", 3);
  const auto gid = number_field<std::uint32_t>(status, "Gid", 3);
  const auto capabilities = field(status, "CapEff");
  auto groups = field(status, "Groups");
  if (!uid || !gid || !capabilities || !groups)
    return Error{EPROTO, "parse", "/proc/PID/status", {}};
  FileCredentials found = {*uid, *gid, {}, 0};
  const auto [end, error] = std::from_chars(
      capabilities->data(), capabilities->data() + capabilities->size(), found.capabilities, 16);
  if (error != std::errc()) return Error{EPROTO, "parse", "/proc/PID/status", "CapEff"};
  while (const auto group = leading_number<std::uint32_t>(*groups)) {
    found.groups.push_back(*group);
    const std::size_t space = groups->find(' ');
    if (space == std::string_view::npos) break;
    groups->remove_prefix(space + 1);
  }
  std::ranges::sort(found.groups);
  return found;
}

// The numbers among the names in a directory.
std::vector<pid_t> numeric_entries(int parent_fd, const char* path) {
  std::vector<pid_t> found;
  const int fd = ::openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return found;
  DIR* directory = ::fdopendir(fd);
  if (!directory) {
    ::close(fd);
    return found;
  }
  while (const dirent* entry = ::readdir(directory))
    if (const auto pid = leading_number<pid_t>(entry->d_name)) found.push_back(*pid);
  ::closedir(directory);
  return found;
}

// A detached mount of procfs. Needs CAP_SYS_ADMIN over the pid namespace.
Fd mount_detached_proc() {
  const Fd context(static_cast<int>(::syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC)));
  if (!context) return Fd();
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Fd();
  return Fd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)));
}

Result<Fd> open_link(int directory, const std::string& link) {
  Fd fd(::openat(directory, link.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return system_error("open", link);
  return fd;
}

}  // namespace

Result<Proc> Proc::open() {
  Fd root = mount_detached_proc();
  if (!root) root.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_error("open", "/proc");
  return at(std::move(root));
}

Result<Proc> Proc::at(Fd root) {
  Proc proc(std::move(root));
  HF_TRY(proc.probe_links());
  return proc;
}

// The kernel lacks the type of an entry that this process does not have.
Result<void> Proc::probe_links() {
  HF_TRY_ASSIGN(auto self, task(::getpid()));
  for (std::size_t link = 0; link < kNamespaceLinkCount; link++) {
    char text[64];
    if (::readlinkat(self.directory_.get(), kLinkPaths[link], text, sizeof(text)) >= 0) continue;
    if (errno != ENOENT) return system_error("read", kLinkPaths[link]);
    known_links_ &= ~(1u << link);
  }
  return {};
}

Result<TaskDirectory> Proc::task(pid_t thread) const {
  Fd directory(
      ::openat(root_.get(), fmt::format("{}", thread).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_error("open", fmt::format("/proc/{}", thread));
  return TaskDirectory(std::move(directory), known_links_);
}

std::vector<pid_t> Proc::processes() const { return numeric_entries(root_.get(), "."); }

Result<pid_t> Proc::process_of_pidfd(int pidfd) const {
  const std::string path = fmt::format("{}/fdinfo/{}", ::getpid(), pidfd);
  HF_TRY_ASSIGN(auto text, read_small(root_.get(), path.c_str()));
  const auto pid = number_field<pid_t>(text, "Pid", 0);
  if (!pid) return Error{EBADF, "read", path, "not a pidfd"};
  return *pid;
}

Result<std::string> Proc::descriptor_info(int fd) const {
  return read_text_file_at(root_.get(), fmt::format("{}/fdinfo/{}", ::getpid(), fd));
}

namespace {

// The inode number in the text of a link such as "net:[4026531840]".
Result<NamespaceInode> read_namespace_link(int directory_fd, std::size_t link) {
  char text[64];
  const ssize_t length = ::readlinkat(directory_fd, kLinkPaths[link], text, sizeof(text));
  if (length < 0 && errno == ENOENT && link == kPidForChildren) return kNamespaceWithoutInit;
  if (length < 0) return system_error("read", kLinkPaths[link]);
  const std::string_view name(text, static_cast<std::size_t>(length));
  const std::size_t bracket = name.find('[');
  const auto inode = bracket == std::string_view::npos
                         ? std::nullopt
                         : leading_number<NamespaceInode>(name.substr(bracket + 1));
  if (!inode || *inode == kNamespaceWithoutInit)
    return Error{EPROTO, "parse", kLinkPaths[link], std::string(name)};
  return *inode;
}

}  // namespace

Result<TaskNamespaces> TaskDirectory::namespaces() const {
  TaskNamespaces found = {};
  for (std::size_t link = 0; link < kNamespaceLinkCount; link++) {
    found.link[link] = kNoNamespace;
    if (!(known_links_ & (1u << link))) continue;
    HF_TRY_ASSIGN(found.link[link], read_namespace_link(directory_.get(), link));
  }
  return found;
}

bool TaskDirectory::is_in(NamespaceInode inode, unsigned type) const {
  for (std::size_t link = 0; link < kNamespaceLinkCount; link++) {
    if (type_of_link(link) != type || !(known_links_ & (1u << link))) continue;
    const auto found = read_namespace_link(directory_.get(), link);
    if (found && *found == inode) return true;
  }
  return false;
}

// proc_task_getattr() of the kernel adds the number of threads to the two links of a directory.
unsigned ThreadCount::now() const {
  constexpr unsigned kLinksOfDirectory = 2;
  struct stat facts = {};
  if (::fstat(fd_.get(), &facts) != 0 || facts.st_nlink <= kLinksOfDirectory) return 0;
  return static_cast<unsigned>(facts.st_nlink) - kLinksOfDirectory;
}

Result<ThreadCount> TaskDirectory::thread_count() const {
  HF_TRY_ASSIGN(auto fd, open_link(directory_.get(), "task"));
  return ThreadCount(std::move(fd));
}

pid_t last_number(std::string_view text, std::string_view name) {
  const auto numbers = field(text, name);
  if (!numbers) return 0;
  return leading_number<pid_t>(numbers->substr(numbers->rfind('\t') + 1)).value_or(0);
}

Result<TaskStatus> TaskDirectory::status() const {
  HF_TRY_ASSIGN(auto text, read_small(directory_.get(), "status"));
  const auto thread = number_field<pid_t>(text, "Pid", 0);
  const auto process = number_field<pid_t>(text, "Tgid", 0);
  const auto parent = number_field<pid_t>(text, "PPid", 0);
  const auto threads = number_field<unsigned>(text, "Threads", 0);
  const auto uid = number_field<std::uint32_t>(text, "Uid", 1);
  const auto numbers = field(text, "NSpid");
  if (!thread || !process || !parent || !threads || !uid || !numbers)
    return Error{EPROTO, "parse", "/proc/PID/status", {}};
  const auto innermost = leading_number<pid_t>(numbers->substr(numbers->rfind('\t') + 1));
  if (!innermost) return Error{EPROTO, "understand", "/proc/PID/status", "NSpid"};
  // A kernel without seccomp, or before 5.9, has no such line.
  const unsigned filters = number_field<unsigned>(text, "Seccomp_filters", 0).value_or(0);
  const auto state = field(text, "State");
  const bool stopped = state && (state->starts_with('T') || state->starts_with('t'));
  const bool ended = state && (state->starts_with('Z') || state->starts_with('X'));
  const auto mask = field(text, "Umask");
  unsigned umask = 0;
  if (mask) (void)std::from_chars(mask->data(), mask->data() + mask->size(), umask, 8);
  return TaskStatus{*thread,
                    *process,
                    *parent,
                    *threads,
                    *uid,
                    *innermost,
                    filters,
                    stopped,
                    ended,
                    umask,
                    last_number(text, "NStgid")};
}

std::uint64_t ticks_of_boottime(std::uint64_t boottime_ns) {
  static const long per_second = ::sysconf(_SC_CLK_TCK);
  return boottime_ns / (1'000'000'000u / static_cast<std::uint64_t>(per_second));
}

// The name may contain spaces and parentheses, so the fields are counted from the last one.
Result<TaskBirth> TaskDirectory::birth() const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "stat"));
  constexpr unsigned kFlags = 9;          // proc_pid_stat(5)
  constexpr unsigned kStartTime = 22;     // the same
  constexpr unsigned kForkNoExec = 0x40;  // PF_FORKNOEXEC of the kernel
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return Error{EPROTO, "parse", "/proc/PID/stat", {}};
  std::string_view rest = std::string_view(text).substr(name_end + 2);
  std::optional<unsigned> flags;
  for (unsigned number = 3; !rest.empty(); number++) {
    if (number == kFlags) flags = leading_number<unsigned>(rest);
    if (number == kStartTime) {
      const auto start = leading_number<std::uint64_t>(rest);
      if (!flags || !start) break;
      return TaskBirth{*start, !(*flags & kForkNoExec)};
    }
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
  return Error{EPROTO, "parse", "/proc/PID/stat", {}};
}

Result<std::uint64_t> TaskDirectory::soft_limit(std::string_view name) const {
  HF_TRY_ASSIGN(const auto limits, read_small(directory_.get(), "limits"));
  const std::size_t at = limits.find(name);
  const std::size_t value =
      at == std::string::npos ? std::string::npos : limits.find_first_not_of(' ', at + name.size());
  if (value == std::string::npos) return Error{EPROTO, "understand", "/proc/PID/limits", {}};
  const auto text = std::string_view(limits).substr(value);
  if (text.starts_with("unlimited")) return std::uint64_t{RLIM_INFINITY};
  const auto limit = leading_number<std::uint64_t>(text);
  if (!limit) return Error{EPROTO, "understand", "/proc/PID/limits", {}};
  return *limit;
}

Result<std::uint64_t> TaskDirectory::file_lock_limit() const {
  return soft_limit("Max file locks");
}

// A descriptor table that is smaller than the limit has a free number, or can grow. Only a table of
// at least that size is counted.
Result<FileReceiver> TaskDirectory::receiver(pid_t thread) const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "status"));
  HF_TRY_ASSIGN(auto credentials, file_credentials_of(text));
  rlimit limits = {};
  std::uint64_t limit = 0;
  if (::prlimit(thread, RLIMIT_NOFILE, nullptr, &limits) == 0) {
    limit = limits.rlim_cur;
  } else {  // other users' limits are in /proc only
    HF_TRY_ASSIGN(limit, soft_limit("Max open files"));
  }
  const auto size = number_field<std::uint64_t>(text, "FDSize", 0);
  if (limit == RLIM_INFINITY || (size && *size < limit))
    return FileReceiver{std::move(credentials), true};
  const auto open = numeric_entries(directory_.get(), "fd");
  const auto used =
      std::ranges::count_if(open, [&](pid_t fd) { return static_cast<std::uint64_t>(fd) < limit; });
  return FileReceiver{std::move(credentials), static_cast<std::uint64_t>(used) < limit};
}

Result<std::string> TaskDirectory::command_name() const {
  auto text = read_small(directory_.get(), "comm");
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

Result<std::string> TaskDirectory::program_name() const {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(directory_.get(), "exe", target.data(), target.size());
  if (length < 0) return system_error("read", "exe");
  std::string name(target.data(), static_cast<std::size_t>(length));
  // A runtime protects its program by a copy in memory, or by a mount without a place.
  if (name.starts_with("/memfd:") || name.ends_with('/')) {
    HF_TRY_ASSIGN(name, read_small(directory_.get(), "cmdline"));
    name = name.c_str();
  }
  constexpr std::string_view kDeleted = " (deleted)";
  if (name.ends_with(kDeleted)) name.resize(name.size() - kDeleted.size());
  return name.substr(name.rfind('/') + 1);
}

Result<Fd> TaskDirectory::open_namespace(std::size_t link) const {
  Fd fd(::openat(directory_.get(), kLinkPaths[link], O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", kLinkPaths[link]);
  return fd;
}

Result<FileCredentials> TaskDirectory::file_credentials() const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "status"));
  return file_credentials_of(text);
}

Result<Credentials> TaskDirectory::credentials() const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "status"));
  HF_TRY_ASSIGN(auto file, file_credentials_of(text));
  Credentials found = {{}, {}, std::move(file.groups), file.capabilities, {}};
  for (unsigned column = 0; column < found.uids.size(); column++) {
    const auto uid = number_field<std::uint32_t>(text, "Uid", column);
    const auto gid = number_field<std::uint32_t>(text, "Gid", column);
    if (!uid || !gid) return Error{EPROTO, "understand", "/proc/PID/status", {}};
    found.uids[column] = *uid;
    found.gids[column] = *gid;
  }
  // This read fails when no security module labels tasks.
  if (auto context = read_small(directory_.get(), "attr/current"))
    found.context = *std::move(context);
  return found;
}

Result<TaskMemory> TaskDirectory::memory() const {
  Fd fd(::openat(directory_.get(), "mem", O_RDWR | O_CLOEXEC));
  if (!fd) return system_error("open", "mem");
  return TaskMemory(std::move(fd));
}

Result<Fd> TaskDirectory::root() const { return open_link(directory_.get(), "root"); }

Result<Fd> TaskDirectory::working_directory() const { return open_link(directory_.get(), "cwd"); }

Result<Fd> TaskDirectory::open_descriptor(int number) const {
  return open_link(directory_.get(), "fd/" + std::to_string(number));
}

TaskDirectory::DescriptorKind TaskDirectory::descriptor_kind(int number) const {
  constexpr std::string_view kSocket = "socket:[";  // the path of a file begins with "/"
  std::array<char, 16> target;
  const std::string name = fmt::format("fd/{}", number);
  const ssize_t length = ::readlinkat(directory_.get(), name.c_str(), target.data(), target.size());
  if (length < 0) return errno == ENOENT ? DescriptorKind::none : DescriptorKind::unknown;
  if (std::string_view(target.data(), static_cast<std::size_t>(length)).starts_with(kSocket))
    return DescriptorKind::socket;
  return DescriptorKind::other;
}

// The kernel shows "net:[4026531840]"; of a file with a path, the path, which begins with "/".
Result<NamespaceObject> TaskDirectory::descriptor_namespace(int number) const {
  std::array<char, 48> target;
  const std::string path = fmt::format("fd/{}", number);
  const ssize_t length = ::readlinkat(directory_.get(), path.c_str(), target.data(), target.size());
  if (length < 0) return system_error("read", path);
  const std::string_view link(target.data(), static_cast<std::size_t>(length));
  const Error other{ENOTTY, "identify namespace", path, {}};
  const std::size_t bracket = link.find(":[");
  if (bracket == std::string_view::npos || !link.ends_with(']')) return other;
  const auto type = type_by_name(link.substr(0, bracket));
  const auto inode = leading_number<NamespaceInode>(link.substr(bracket + 2));
  if (!type || !inode) return other;
  struct stat opened = {};  // the link's permissions are those of the descriptor
  if (::fstatat(directory_.get(), path.c_str(), &opened, AT_SYMLINK_NOFOLLOW) != 0)
    return system_error("stat", path);
  if ((opened.st_mode & S_IRWXU) == 0) return Error{EBADF, "identify namespace", path, "O_PATH"};
  return NamespaceObject{*type, *inode};
}

Result<dev_t> TaskDirectory::descriptor_device(int number) const {
  const std::string name = fmt::format("fd/{}", number);
  struct statx facts = {};
  if (::statx(directory_.get(), name.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &facts) != 0)
    return system_error("statx", name);
  return makedev(facts.stx_dev_major, facts.stx_dev_minor);
}

bool TaskDirectory::descriptor_is_path_only(int number) const {
  const auto info = read_small(directory_.get(), fmt::format("fdinfo/{}", number).c_str());
  if (!info) return false;
  const auto flags = field(*info, "flags");
  unsigned value = 0;
  if (flags) (void)std::from_chars(flags->data(), flags->data() + flags->size(), value, 8);
  return (value & O_PATH) != 0;
}

bool TaskDirectory::names_served_file(int number) const {
  char first = 0;
  const std::string name = fmt::format("fd/{}", number);
  if (::readlinkat(directory_.get(), name.c_str(), &first, 1) != 1 || first != '/') return false;
  static const dev_t namespaces = [] {
    struct stat own = {};
    return ::stat("/proc/self/ns/mnt", &own) == 0 ? own.st_dev : dev_t{0};
  }();
  const auto file = open_descriptor(number);
  struct statx facts = {};
  if (!file ||
      ::statx(file->get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) != 0)
    return true;
  return makedev(facts.stx_dev_major, facts.stx_dev_minor) != namespaces;
}

Result<TaskDirectory> TaskDirectory::duplicate() const {
  Fd copy(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return system_error("duplicate a descriptor");
  return TaskDirectory(std::move(copy), known_links_);
}

namespace {

std::uint64_t signal_mask(std::string_view status, std::string_view name) {
  std::uint64_t bits = 0;
  if (const auto value = field(status, name))
    std::from_chars(value->data(), value->data() + value->size(), bits, 16);
  return bits;
}

}  // namespace

// complete_signal() and retarget_shared_pending() of the kernel see to it that of the threads that
// do not block a pending signal of the process, at least one has been told of it.
Result<PendingSignal> TaskDirectory::pending_signal() const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "status"));
  const auto process = number_field<pid_t>(text, "Tgid", 0);
  const auto thread = number_field<pid_t>(text, "Pid", 0);
  const auto threads = number_field<unsigned>(text, "Threads", 0);
  if (!process || !thread || !threads) return Error{EPROTO, "parse", "/proc/PID/status", {}};
  PendingSignal found = {PendingSignal::Whose::none, *process, *thread};
  const std::uint64_t taken = ~signal_mask(text, "SigBlk") & ~signal_mask(text, "SigIgn");
  std::uint64_t shared = signal_mask(text, "ShdPnd") & taken;
  if ((signal_mask(text, "SigPnd") & taken) || (shared && *threads == 1)) {
    found.whose = PendingSignal::Whose::own;
    return found;
  }
  if (!shared) return found;
  found.whose = PendingSignal::Whose::some_thread;
  for (const pid_t other : this->threads()) {
    if (other == *thread) continue;
    const auto of_other =
        read_small(directory_.get(), fmt::format("task/{}/status", other).c_str());
    // It has ended, or it blocks none of what it could be told of.
    if (of_other) shared &= signal_mask(*of_other, "SigBlk");
    if (!shared) return found;
  }
  const auto again = read_small(directory_.get(), "status");
  if (again && (shared & signal_mask(*again, "ShdPnd"))) found.whose = PendingSignal::Whose::own;
  return found;
}

Result<SignalQueue> TaskDirectory::signal_queue() const {
  HF_TRY_ASSIGN(const auto text, read_small(directory_.get(), "status"));
  const auto uid = number_field<std::uint32_t>(text, "Uid", 0);
  const auto queue = field(text, "SigQ");  // such as "0/62783"
  const std::size_t slash = queue ? queue->find('/') : std::string_view::npos;
  if (!uid || slash == std::string_view::npos)
    return Error{EPROTO, "parse", "/proc/PID/status", {}};
  const auto signals = leading_number<std::uint64_t>(*queue);
  const auto limit = leading_number<std::uint64_t>(queue->substr(slash + 1));
  if (!signals || !limit) return Error{EPROTO, "parse", "/proc/PID/status", "SigQ"};
  return SignalQueue{*uid, *signals, *limit};
}

Result<std::string> TaskDirectory::cgroup() const {
  HF_TRY_ASSIGN(auto text, read_small(directory_.get(), "cgroup"));
  constexpr std::string_view kUnified = "0::";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (line.starts_with(kUnified)) return std::string(line.substr(kUnified.size()));
    at = end + 1;
  }
  return std::string();  // not mounted: all tasks are in its root cgroup
}

Result<std::string> TaskDirectory::mount_info() const {
  return read_text_file_at(directory_.get(), "mountinfo");
}

Result<std::string> TaskMemory::read(std::uint64_t address, std::size_t bytes) const {
  std::string text(bytes, '\0');
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t length =
        ::pread(fd_.get(), text.data() + done, bytes - done, static_cast<off_t>(address + done));
    if (length <= 0) return Error{EFAULT, "read memory", {}, {}};
    done += static_cast<std::size_t>(length);
  }
  return text;
}

Result<std::string> TaskMemory::read_string(std::uint64_t address, std::size_t limit) const {
  constexpr std::size_t kPageBytes = 4096;  // the next page may not be mapped
  std::string text;
  while (text.size() < limit) {
    const std::uint64_t at = address + text.size();
    const std::size_t wanted = std::min(limit - text.size(), kPageBytes - at % kPageBytes);
    HF_TRY_ASSIGN(auto part, read(at, wanted));
    const std::size_t end = part.find('\0');
    text.append(part, 0, end);
    if (end != std::string::npos) return text;
  }
  return Error{E2BIG, "read a name", {}, {}};
}

Result<void> TaskMemory::write(std::uint64_t address, std::string_view bytes) const {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t length = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                    static_cast<off_t>(address + done));
    if (length <= 0) return Error{EFAULT, "write memory", {}, {}};
    done += static_cast<std::size_t>(length);
  }
  return {};
}

std::vector<pid_t> TaskDirectory::threads() const {
  return numeric_entries(directory_.get(), "task");
}

std::vector<pid_t> TaskDirectory::children() const {
  std::vector<pid_t> found;
  for (const pid_t thread : threads()) {
    auto text = read_small(directory_.get(), fmt::format("task/{}/children", thread).c_str());
    if (!text) continue;
    std::string_view rest = *text;
    while (const auto child = leading_number<pid_t>(rest)) {
      found.push_back(*child);
      const std::size_t space = rest.find(' ');
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
  }
  return found;
}

}  // namespace holdfast::kernel
