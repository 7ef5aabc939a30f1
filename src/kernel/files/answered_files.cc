// SPDX-License-Identifier: Apache-2.0
//
// A file system of FUSE with one directory, which is mounted nowhere and which only this process can
// look into. Each open() makes a file there, and takes its name away at once. So the kernel forgets
// the file when the last descriptor of it is closed, and each file has a lock of its own.
//
// A descriptor of such a file is worth its writes and nothing else: an open by another process, by
// way of /proc or a file handle, is EACCES. The files have no pages (FOPEN_DIRECT_IO). So every way to
// write becomes a request: write(2) and its like, splice, sendfile, copies, asynchronous ones.
#include "kernel/files/answered_files.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/process/id_maps.h"
#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/system_error.h"
#include "kernel/wakeup.h"

namespace holdfast::kernel {
namespace {

// A header, the largest fixed part and a write.
constexpr std::size_t kBufferBytes = std::size_t{2} * FUSE_MIN_READ_BUFFER;
static_assert(kBufferBytes >=
              sizeof(fuse_in_header) + sizeof(fuse_write_in) + AnsweredFiles::kMostBytes);
constexpr std::uint32_t kFileMode = S_IFREG | 0600;
constexpr std::uint32_t kDirectoryMode = S_IFDIR | 0500;
constexpr std::uint32_t kNoFlush = 1u << 5;  // FOPEN_NOFLUSH, Linux 5.18

struct Mounted {
  Fd device;
  Fd root;  // of the mount
};

Result<void> set(int context, const char* key, const std::string& value) {
  if (::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0)
    return system_error("set up FUSE", key);
  return {};
}

// The kernel demands that device and file system are of one user namespace.
Result<Mounted> mount_here(bool for_all) {
  Mounted out;
  out.device = Fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!out.device) return system_error("open", "/dev/fuse");
  const Fd context(static_cast<int>(::syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC)));
  if (!context) return system_error("open a file system", "fuse");
  HF_TRY(set(context.get(), "source", "holdfast"));
  HF_TRY(set(context.get(), "fd", std::to_string(out.device.get())));
  HF_TRY(set(context.get(), "rootmode", "40000"));
  HF_TRY(set(context.get(), "user_id", std::to_string(::geteuid())));
  HF_TRY(set(context.get(), "group_id", std::to_string(::getegid())));
  if (for_all &&
      ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, "allow_other", nullptr, 0) != 0)
    return system_error("set up FUSE", "allow_other");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return system_error("make a file system", "fuse");
  out.root =
      Fd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)));
  if (!out.root) return system_error("mount", "fuse");
  return out;
}

// The child's only message: an errno, with the two descriptors if it is 0.
void mount_in_child(int channel) {
  int error = 0;
  std::vector<Fd> none;
  std::vector<int> sent;
  Mounted mounted;
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) error = errno;
  (void)send_packet(channel, {reinterpret_cast<const char*>(&error), sizeof(error)}, {});
  if (error != 0) return;
  const auto mapped = receive_packet(channel, 1, none);
  if (!mapped || !*mapped) return;
  auto made = mount_here(false);
  if (made) {
    mounted = std::move(*made);
    sent = {mounted.device.get(), mounted.root.get()};
  } else {
    error = made.error().code;
  }
  (void)send_packet(channel, {reinterpret_cast<const char*>(&error), sizeof(error)}, sent);
}

Result<int> error_from(int channel, std::vector<Fd>& descriptors) {
  HF_TRY_ASSIGN(const auto packet, receive_packet(channel, sizeof(int), descriptors));
  int error = ECANCELED;
  if (packet && packet->size() == sizeof(error)) std::memcpy(&error, packet->data(), sizeof(error));
  return error;
}

Result<Mounted> hear_from(int channel, pid_t child) {
  std::vector<Fd> descriptors;
  HF_TRY_ASSIGN(const int unshared, error_from(channel, descriptors));
  if (unshared != 0) return Error{unshared, "make a user namespace", {}, {}};
  HF_TRY(write_identity_maps(child));
  HF_TRY(send_packet(channel, "m", {}));
  HF_TRY_ASSIGN(const int mounted, error_from(channel, descriptors));
  if (mounted != 0) return Error{mounted, "mount", "fuse", {}};
  if (descriptors.size() != 2) return Error{EPROTO, "mount", "fuse", {}};
  return Mounted{std::move(descriptors[0]), std::move(descriptors[1])};
}

Result<Mounted> mount_elsewhere() {
  HF_TRY_ASSIGN(auto ends, make_channel());
  const Fd ours = std::move(ends[0]);
  Fd theirs = std::move(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return system_error("fork");
  if (child == 0) {
    mount_in_child(theirs.get());
    ::_exit(0);
  }
  theirs.reset();
  auto mounted = hear_from(ours.get(), child);
  shutdown_both(ours.get());
  wait_for_end(child);
  return mounted;
}

}  // namespace

struct AnsweredFiles::State {
  struct File {
    std::shared_ptr<const Fd> object;
    pid_t opener = 0;  // the thread of open() while it opens the file; 0: nobody may open it
    std::uint64_t lookups = 0;
  };

  explicit State(Mounted mounted)
      : device(std::move(mounted.device)), root(std::move(mounted.root)) {}

  void serve();
  void receive();
  void handle(const fuse_in_header& header, std::string_view body);
  void look_up(const fuse_in_header& header, std::string_view body);
  void open_file(const fuse_in_header& header);
  void set_attributes(const fuse_in_header& header, std::string_view body);
  void forget(std::uint64_t file, std::uint64_t lookups);
  void forget_all(std::string_view body);
  void ask(const fuse_in_header& header, std::string_view body);
  void reply(std::uint64_t request, int error, std::string_view body) const;
  template <typename T>
  void reply_with(std::uint64_t request, const T& body) const {
    reply(request, 0, {reinterpret_cast<const char*>(&body), sizeof(body)});
  }
  [[nodiscard]] fuse_attr attributes(std::uint64_t file) const;
  void take_name(std::uint64_t file) const;

  const Fd device;
  const Fd root;
  const std::uint32_t user = ::geteuid();
  const std::uint32_t group = ::getegid();
  std::size_t most_files = 0;  // set before `thread` starts
  Fd asked;                    // readable: `waiting` has something
  Fd ending;                   // readable: `thread` has to end
  std::thread thread;
  mutable std::mutex mutex;  // guards the rest
  std::unordered_map<std::uint64_t, File> files;
  std::uint64_t next_file = FUSE_ROOT_ID + 1;
  std::deque<Asked> waiting;
};

namespace {

template <typename T>
std::optional<T> read_as(std::string_view body) {
  T out;
  if (body.size() < sizeof(out)) return std::nullopt;
  std::memcpy(&out, body.data(), sizeof(out));
  return out;
}

}  // namespace

// A request that is gone, since the connection ended, has nobody who waits.
void AnsweredFiles::State::reply(std::uint64_t request, int error, std::string_view body) const {
  fuse_out_header header = {};
  header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
  header.error = -error;
  header.unique = request;
  const std::array<iovec, 2> parts = {
      iovec{&header, sizeof(header)},
      iovec{const_cast<char*>(body.data()), body.size()},
  };
  (void)!::writev(device.get(), parts.data(), body.empty() ? 1 : 2);
}

fuse_attr AnsweredFiles::State::attributes(std::uint64_t file) const {
  fuse_attr out = {};
  out.ino = file;
  out.mode = file == FUSE_ROOT_ID ? kDirectoryMode : kFileMode;
  out.nlink = 1;
  out.uid = user;
  out.gid = group;
  out.blksize = kMostBytes;
  return out;
}

void AnsweredFiles::State::look_up(const fuse_in_header& header, std::string_view body) {
  std::uint64_t number = 0;
  const std::string_view name = body.substr(0, body.find('\0'));
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  bool found = false;
  if (header.nodeid == FUSE_ROOT_ID && parsed.ec == std::errc() &&
      parsed.ptr == name.data() + name.size()) {
    const std::lock_guard lock(mutex);
    const auto file = files.find(number);
    found = file != files.end() && file->second.opener != 0 &&
            file->second.opener == static_cast<pid_t>(header.pid);
    if (found) file->second.lookups++;
  }
  if (!found) return reply(header.unique, ENOENT, {});
  fuse_entry_out entry = {};
  entry.nodeid = number;
  entry.attr_valid = ~std::uint64_t{0} >> 1;
  entry.attr = attributes(number);
  reply_with(header.unique, entry);
}

void AnsweredFiles::State::open_file(const fuse_in_header& header) {
  bool allowed = false;
  {
    const std::lock_guard lock(mutex);
    const auto file = files.find(header.nodeid);
    allowed = file != files.end() && file->second.opener != 0 &&
              file->second.opener == static_cast<pid_t>(header.pid);
  }
  if (!allowed) return reply(header.unique, EACCES, {});
  fuse_open_out out = {};
  out.open_flags = FOPEN_DIRECT_IO | kNoFlush;
  reply_with(header.unique, out);
}

// The kernel's files of cgroups have no length: to cut them does nothing.
void AnsweredFiles::State::set_attributes(const fuse_in_header& header, std::string_view body) {
  constexpr std::uint32_t kLength = FATTR_SIZE | FATTR_FH | FATTR_LOCKOWNER | FATTR_MTIME |
                                    FATTR_CTIME | FATTR_MTIME_NOW | FATTR_KILL_SUIDGID;
  const auto asked_for = read_as<fuse_setattr_in>(body);
  if (!asked_for || (asked_for->valid & ~kLength) != 0) return reply(header.unique, EPERM, {});
  fuse_attr_out out = {};
  out.attr = attributes(header.nodeid);
  reply_with(header.unique, out);
}

void AnsweredFiles::State::forget(std::uint64_t file, std::uint64_t lookups) {
  std::shared_ptr<const Fd> last;  // closed without the lock
  const std::lock_guard lock(mutex);
  const auto found = files.find(file);
  if (found == files.end()) return;
  found->second.lookups -= std::min(lookups, found->second.lookups);
  if (found->second.lookups > 0 || found->second.opener != 0) return;
  last = std::move(found->second.object);
  files.erase(found);
}

void AnsweredFiles::State::forget_all(std::string_view body) {
  const auto batch = read_as<fuse_batch_forget_in>(body);
  if (!batch) return;
  body.remove_prefix(sizeof(*batch));
  for (std::uint32_t i = 0; i < batch->count; i++) {
    const auto one = read_as<fuse_forget_one>(body);
    if (!one) return;
    body.remove_prefix(sizeof(*one));
    forget(one->nodeid, one->nlookup);
  }
}

void AnsweredFiles::State::ask(const fuse_in_header& header, std::string_view body) {
  Asked out;
  out.request = header.unique;
  out.thread = static_cast<pid_t>(header.pid);
  if (header.opcode == FUSE_WRITE) {
    const auto write = read_as<fuse_write_in>(body);
    if (!write || body.size() - sizeof(*write) < write->size) return reply(header.unique, EIO, {});
    out.text = body.substr(sizeof(*write), write->size);
  } else {
    const auto read = read_as<fuse_read_in>(body);
    if (!read) return reply(header.unique, EIO, {});
    out.kind = Asked::Kind::read;
    out.offset = read->offset;
    out.most_bytes = read->size;
  }
  {
    const std::lock_guard lock(mutex);
    const auto file = files.find(header.nodeid);
    if (file == files.end()) return reply(header.unique, EIO, {});
    out.object = file->second.object;
    waiting.push_back(std::move(out));
  }
  wake(asked.get());
}

void AnsweredFiles::State::handle(const fuse_in_header& header, std::string_view body) {
  switch (header.opcode) {
    case FUSE_INIT: {
      fuse_init_out out = {};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = FUSE_KERNEL_MINOR_VERSION;
      out.max_write = kMostBytes;
      out.time_gran = 1;
      return reply_with(header.unique, out);
    }
    case FUSE_LOOKUP:
      return look_up(header, body);
    case FUSE_OPEN:
      return open_file(header);
    case FUSE_OPENDIR:  // a handle of the directory can be made from one of a file
      return reply(header.unique, EACCES, {});
    case FUSE_GETATTR: {
      fuse_attr_out out = {};
      out.attr_valid = ~std::uint64_t{0} >> 1;
      out.attr = attributes(header.nodeid);
      return reply_with(header.unique, out);
    }
    case FUSE_SETATTR:
      return set_attributes(header, body);
    case FUSE_WRITE:
    case FUSE_READ:
      return ask(header, body);
    case FUSE_RELEASE:
      return reply(header.unique, 0, {});
    case FUSE_STATFS:
      return reply_with(header.unique, fuse_statfs_out{});
    case FUSE_FORGET:
      if (const auto one = read_as<fuse_forget_in>(body)) forget(header.nodeid, one->nlookup);
      return;
    case FUSE_BATCH_FORGET:
      return forget_all(body);
    case FUSE_INTERRUPT:  // who is interrupted waits for the answer
      return;
    default:
      return reply(header.unique, ENOSYS, {});
  }
}

void AnsweredFiles::State::receive() {
  alignas(fuse_in_header) std::array<char, kBufferBytes> buffer;
  for (;;) {
    const ssize_t got = ::read(device.get(), buffer.data(), buffer.size());
    if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
    fuse_in_header header;
    std::memcpy(&header, buffer.data(), sizeof(header));
    handle(header, std::string_view(buffer.data() + sizeof(header),
                                    static_cast<std::size_t>(got) - sizeof(header)));
  }
}

void AnsweredFiles::State::serve() {
  for (;;) {
    std::array<pollfd, 2> ready = {pollfd{device.get(), POLLIN, 0},
                                   pollfd{ending.get(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;  // EINTR
    if (ready[1].revents != 0 || (ready[0].revents & POLLERR)) return;
    receive();
  }
}

// The file has no name from now on. The kernel may hold the directory's lock for a lookup of another
// open(), which `thread` answers.
void AnsweredFiles::State::take_name(std::uint64_t file) const {
  const std::string name = std::to_string(file);
  fuse_out_header header = {};
  fuse_notify_inval_entry_out entry = {};
  entry.parent = FUSE_ROOT_ID;
  entry.namelen = static_cast<std::uint32_t>(name.size());
  header.len = static_cast<std::uint32_t>(sizeof(header) + sizeof(entry) + name.size() + 1);
  header.error = FUSE_NOTIFY_INVAL_ENTRY;
  const std::array<iovec, 3> parts = {
      iovec{&header, sizeof(header)},
      iovec{&entry, sizeof(entry)},
      iovec{const_cast<char*>(name.c_str()), name.size() + 1},
  };
  (void)!::writev(device.get(), parts.data(), parts.size());
}

AnsweredFiles::AnsweredFiles(std::unique_ptr<State> state) : state_(std::move(state)) {}

AnsweredFiles::~AnsweredFiles() {
  if (!state_->thread.joinable()) return;
  wake(state_->ending.get());
  state_->thread.join();
}

Result<std::unique_ptr<AnsweredFiles>> AnsweredFiles::create() {
  HF_TRY_ASSIGN(auto mounted, has_sys_admin() ? mount_here(true) : mount_elsewhere());
  auto state = std::make_unique<State>(std::move(mounted));
  HF_TRY_ASSIGN(state->asked, make_wakeup());
  HF_TRY_ASSIGN(state->ending, make_wakeup());
  return std::unique_ptr<AnsweredFiles>(new AnsweredFiles(std::move(state)));
}

Result<void> AnsweredFiles::start() {
  State* const state = state_.get();
  rlimit descriptors = {};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return system_error("getrlimit");
  state->most_files = descriptors.rlim_cur / 4;
  try {
    state->thread = std::thread([state] { state->serve(); });
  } catch (const std::system_error&) {
    return Error{EAGAIN, "start a thread", {}, {}};
  }
  return {};
}

Result<Fd> AnsweredFiles::open(std::shared_ptr<const Fd> object, int flags) {
  State& state = *state_;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(state.mutex);
    if (state.files.size() >= state.most_files) return Error{ENFILE, "open", "a file of FUSE", {}};
    number = state.next_file++;
    state.files[number] = {std::move(object), ::gettid(), 0};
  }
  const std::string name = std::to_string(number);
  Fd fd(::openat(state.root.get(), name.c_str(),
                 (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | O_CLOEXEC | O_NOCTTY));
  const Error failed = system_error("open", "a file of FUSE");
  {
    const std::lock_guard lock(state.mutex);
    const auto file = state.files.find(number);
    file->second.opener = 0;
    if (file->second.lookups == 0) state.files.erase(file);
  }
  state.take_name(number);
  if (!fd) return failed;
  return fd;
}

std::shared_ptr<const Fd> AnsweredFiles::object_of(int fd) const {
  struct stat file = {};
  struct stat own = {};
  if (::fstat(fd, &file) != 0 || ::fstat(state_->root.get(), &own) != 0) return nullptr;
  if (file.st_dev != own.st_dev) return nullptr;
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->files.find(file.st_ino);
  return found == state_->files.end() ? nullptr : found->second.object;
}

int AnsweredFiles::poll_fd() const { return state_->asked.get(); }

std::optional<AnsweredFiles::Asked> AnsweredFiles::next() {
  (void)was_woken(state_->asked.get());
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.empty()) return std::nullopt;
  Asked first = std::move(state_->waiting.front());
  state_->waiting.pop_front();
  if (!state_->waiting.empty()) wake(state_->asked.get());
  return first;
}

void AnsweredFiles::answer_write(std::uint64_t request, std::size_t bytes) const {
  fuse_write_out out = {};
  out.size = static_cast<std::uint32_t>(bytes);
  state_->reply_with(request, out);
}

void AnsweredFiles::answer_read(std::uint64_t request, std::string_view bytes) const {
  state_->reply(request, 0, bytes);
}

void AnsweredFiles::answer_error(std::uint64_t request, int error) const {
  state_->reply(request, error, {});
}

}  // namespace holdfast::kernel
