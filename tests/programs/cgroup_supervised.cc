// SPDX-License-Identifier: Apache-2.0
// Moves as a task of a supervised tree asks for them, one line each: "WAY moved" or "WAY ERRNO".
//   cgroup_supervised TO PID WAY...    TO: a cgroup's path; PID: what is moved
//   cgroup_supervised door FD PID      takes a descriptor from the unix socket FD and writes PID to it: "door ERRNO"
//   cgroup_supervised race TO PID      a path that changes while the call is looked at: "race moved N refused N"
//   cgroup_supervised race-by-descriptor TO PID   the same of a descriptor: "descriptor race moved N refused N"
//   cgroup_supervised swap thread|process fd|types|pidfd FD   a descriptor that does: FD is a mount
//                                      namespace's. "swap entered" or "swap stayed ERRNO"
#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "cgroup_ways.h"
#include "race.h"

namespace {

using ways::Victim;

std::string procs(const std::string& to) { return ways::kRoot + to + "/cgroup.procs"; }

int write_and_close(int fd, const Victim& victim) {
  if (fd < 0) return errno;
  const int error = ways::write_to(fd, std::to_string(victim.pid));
  close(fd);
  return error;
}

int by_directory(const Victim& victim, const std::string& to) {
  const int directory = open((ways::kRoot + to).c_str(), O_PATH | O_DIRECTORY);
  if (directory < 0) return errno;
  return write_and_close(openat(directory, "cgroup.procs", O_WRONLY), victim);
}

int relative(const Victim& victim, const std::string& to) {
  if (chdir((ways::kRoot + to).c_str()) != 0) return errno;
  const int error = write_and_close(open("./cgroup.procs", O_WRONLY), victim);
  return chdir("/") == 0 ? error : errno;
}

// As runc opens files of cgroups.
int beneath(const Victim& victim, const std::string& to) {
  const int root = open(ways::kRoot.c_str(), O_PATH | O_DIRECTORY);
  open_how how = {};
  how.flags = O_WRONLY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const std::string path = procs(to).substr(ways::kRoot.size() + 1);
  return write_and_close(
      static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))), victim);
}

int created(const Victim& victim, const std::string& to) {
  return write_and_close(creat(procs(to).c_str(), 0644), victim);
}

int read_and_write(const Victim& victim, const std::string& to) {
  return write_and_close(open(procs(to).c_str(), O_RDWR), victim);
}

int symbolic_link(const Victim& victim, const std::string& to) {
  unlink("/tmp/link");
  if (symlink(procs(to).c_str(), "/tmp/link") != 0) return errno;
  return write_and_close(open("/tmp/link", O_WRONLY), victim);
}

int reopened(const Victim& victim, const std::string& to) {
  const int readable = open(procs(to).c_str(), O_RDONLY);
  if (readable < 0) return errno;
  const std::string path = "/proc/self/fd/" + std::to_string(readable);
  return write_and_close(open(path.c_str(), O_WRONLY), victim);
}

// A name that the supervisor does not follow: only the wall is there.
int reopened_by_thread(const Victim& victim, const std::string& to) {
  const int readable = open(procs(to).c_str(), O_PATH);
  const std::string path =
      "/proc/self/task/" + std::to_string(gettid()) + "/fd/" + std::to_string(readable);
  return write_and_close(open(path.c_str(), O_WRONLY), victim);
}

int by_handle(const Victim& victim, const std::string& to) {
  struct {
    file_handle handle;
    char bytes[128];
  } named = {};
  named.handle.handle_bytes = sizeof(named.bytes);
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, procs(to).c_str(), &named.handle, &mount_id, 0) != 0)
    return errno;
  const int mount = open(ways::kRoot.c_str(), O_RDONLY | O_DIRECTORY);
  return write_and_close(open_by_handle_at(mount, &named.handle, O_WRONLY), victim);
}

// A mount that is attached nowhere.
int detached_mount(const Victim& victim, const std::string& to) {
  const int context = static_cast<int>(syscall(SYS_fsopen, "cgroup2", 0));
  if (context < 0) return errno;
  constexpr unsigned kCreate = 6;  // FSCONFIG_CMD_CREATE
  if (syscall(SYS_fsconfig, context, kCreate, nullptr, nullptr, 0) != 0) return errno;
  const int mount = static_cast<int>(syscall(SYS_fsmount, context, 0, 0));
  if (mount < 0) return errno;
  return write_and_close(openat(mount, procs(to).substr(ways::kRoot.size() + 1).c_str(), O_WRONLY),
                         victim);
}

int by_vectors(const Victim& victim, const std::string& to) {
  const int fd = open(procs(to).c_str(), O_WRONLY);
  if (fd < 0) return errno;
  std::string text = std::to_string(victim.pid);
  const iovec parts[] = {{text.data(), 1}, {text.data() + 1, text.size() - 1}};
  const int error = writev(fd, parts, 2) < 0 ? errno : 0;
  close(fd);
  return error;
}

// libc's streams, as service managers write.
int by_stream(const Victim& victim, const std::string& to) {
  FILE* const file = std::fopen(procs(to).c_str(), "we");
  if (file == nullptr) return errno;
  std::fprintf(file, "%d\n", victim.pid);
  const int error = std::fflush(file) != 0 ? errno : 0;
  std::fclose(file);
  return error;
}

// Ways to write that no program uses here.
int by_position(const Victim& victim, const std::string& to) {
  const int fd = open(procs(to).c_str(), O_WRONLY);
  if (fd < 0) return errno;
  const std::string text = std::to_string(victim.pid);
  const int error = pwrite(fd, text.data(), text.size(), 0) < 0 ? errno : 0;
  close(fd);
  return error;
}

int padded(const Victim& victim, const std::string& to) {
  const int fd = open(procs(to).c_str(), O_WRONLY);
  if (fd < 0) return errno;
  const int error = ways::write_to(fd, std::to_string(victim.pid) + std::string(100, ' '));
  close(fd);
  return error;
}

// What the supervisor gives out, written to in every way that does not come to the supervisor.
using Write = std::function<ssize_t(int fd, const std::string& text)>;
int written_as(const Victim& victim, const std::string& to, const Write& write_text) {
  const int fd = open(procs(to).c_str(), O_WRONLY);
  if (fd < 0) return errno;
  const int error = write_text(fd, std::to_string(victim.pid)) < 0 ? errno : 0;
  close(fd);
  return error;
}

// Blanks that the kernel strips: more bytes than are looked at.
ssize_t as_40_bytes(int fd, const std::string& text) {
  const std::string padded = text + std::string(40 - text.size(), ' ');
  return write(fd, padded.data(), padded.size());
}

ssize_t as_a_page(int fd, const std::string& text) {
  const std::string padded = std::string(4096 - text.size(), ' ') + text;
  return write(fd, padded.data(), padded.size());
}

// The lower half of the length is short, which is all that a filter sees of it.
ssize_t with_high_bits(int fd, const std::string& text) {
  return syscall(SYS_write, fd, text.data(), (1L << 32) + static_cast<long>(text.size()));
}

ssize_t with_many_parts(int fd, const std::string& text) {
  std::vector<iovec> parts(8, iovec{nullptr, 0});
  parts[5] = {const_cast<char*>(text.data()), text.size()};
  return writev(fd, parts.data(), static_cast<int>(parts.size()));
}

ssize_t with_parts_of_high_bits(int fd, const std::string& text) {
  const iovec one = {const_cast<char*>(text.data()), text.size()};
  return syscall(SYS_writev, fd, &one, (1L << 32) + 1);
}

ssize_t as_pwritev(int fd, const std::string& text) {
  const iovec one = {const_cast<char*>(text.data()), text.size()};
  return pwritev(fd, &one, 1, 0);
}

ssize_t as_pwritev2(int fd, const std::string& text) {
  const iovec one = {const_cast<char*>(text.data()), text.size()};
  return pwritev2(fd, &one, 1, -1, 0);
}

int file_with(const std::string& text) {
  const int fd = static_cast<int>(syscall(SYS_memfd_create, "text", 0));
  if (fd < 0 || write(fd, text.data(), text.size()) < 0 || lseek(fd, 0, SEEK_SET) != 0) return -1;
  return fd;
}

ssize_t as_sendfile(int fd, const std::string& text) {
  return sendfile(fd, file_with(text), nullptr, text.size());
}

ssize_t as_copy(int fd, const std::string& text) {
  return copy_file_range(file_with(text), nullptr, fd, nullptr, text.size(), 0);
}

ssize_t as_splice(int fd, const std::string& text) {
  int ends[2];
  if (pipe(ends) != 0 || write(ends[1], text.data(), text.size()) < 0) return -1;
  return splice(ends[0], nullptr, fd, nullptr, text.size(), 0);
}

// The kernel's own asynchronous writes.
ssize_t as_aio(int fd, const std::string& text) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 1, &context) != 0) return -1;
  iocb one = {};
  one.aio_lio_opcode = IOCB_CMD_PWRITE;
  one.aio_fildes = static_cast<std::uint32_t>(fd);
  one.aio_buf = reinterpret_cast<std::uint64_t>(text.data());
  one.aio_nbytes = text.size();
  iocb* list = &one;
  const long submitted = syscall(SYS_io_submit, context, 1, &list);
  const int error = errno;
  io_event done = {};
  if (submitted == 1) (void)syscall(SYS_io_getevents, context, 1, 1, &done, nullptr);
  syscall(SYS_io_destroy, context);
  errno = submitted == 1 ? static_cast<int>(-done.res) : error;
  return submitted == 1 && done.res >= 0 ? 1 : -1;
}

// By a mapping that is shared with the file.
ssize_t as_mapping(int fd, const std::string& text) {
  void* const at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return -1;
  std::memcpy(at, text.data(), text.size());
  return munmap(at, 4096) == 0 ? 1 : -1;
}

int by_mapping(const Victim& victim, const std::string& to) {
  const int fd = open(procs(to).c_str(), O_RDWR);
  if (fd < 0) return errno;
  const int error = as_mapping(fd, std::to_string(victim.pid)) < 0 ? errno : 0;
  close(fd);
  return error;
}

ssize_t by_child(int fd, const std::string& text) {
  const pid_t child = fork();
  if (child == 0) _exit(ways::write_to(fd, text));
  int status = 0;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  return errno == 0 ? 1 : -1;
}

ssize_t by_thread(int fd, const std::string& text) {
  int error = 0;
  std::thread([&] { error = ways::write_to(fd, text); }).join();
  errno = error;
  return error == 0 ? 1 : -1;
}

// The descriptor that was given out, by its name in /proc.
ssize_t by_own_name(int fd, const std::string& text) {
  const int again = open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY);
  return again < 0 ? -1 : write(again, text.data(), text.size());
}

// For reading it is not looked at by the supervisor.
ssize_t by_own_name_to_read(int fd, const std::string&) {
  return open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY) < 0 ? -1 : 1;
}

ssize_t by_own_handle(int fd, const std::string& text) {
  struct {
    file_handle handle;
    char bytes[128];
  } named = {};
  named.handle.handle_bytes = sizeof(named.bytes);
  int mount_id = 0;
  if (name_to_handle_at(fd, "", &named.handle, &mount_id, AT_EMPTY_PATH) != 0) return -1;
  const int again = open_by_handle_at(fd, &named.handle, O_WRONLY);
  return again < 0 ? -1 : write(again, text.data(), text.size());
}

// A message with one descriptor.
struct Passed {
  Passed() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  char byte = 'f';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
};

bool pass(int socket, int fd) {
  Passed out;
  cmsghdr* const header = CMSG_FIRSTHDR(&out.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return sendmsg(socket, &out.message, 0) == 1;
}

// Takes the descriptor of a message, and writes the text to it. Returns 0 or an errno.
int take(int socket, const std::string& text) {
  Passed in;
  if (recvmsg(socket, &in.message, 0) != 1) return errno;
  int fd = -1;
  if (cmsghdr* const header = CMSG_FIRSTHDR(&in.message))
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return ways::write_to(fd, text);
}

// The directory of the file system that the descriptor is of.
ssize_t by_own_directory(int fd, const std::string& text) {
  constexpr int kNumberAndGeneration = 0x81;  // FILEID_INO64_GEN, as FUSE makes them
  struct {
    file_handle handle;
    unsigned bytes[3];
  } root = {};
  root.handle.handle_bytes = sizeof(root.bytes);
  root.handle.handle_type = kNumberAndGeneration;
  root.bytes[1] = 1;  // FUSE_ROOT_ID
  const int read = open_by_handle_at(fd, &root.handle, O_RDONLY | O_DIRECTORY);
  if (read >= 0) return 1;
  const int directory = open_by_handle_at(fd, &root.handle, O_PATH | O_DIRECTORY);
  if (directory < 0) return -1;
  for (int number = 2; number < 100; number++) {
    const int file = openat(directory, std::to_string(number).c_str(), O_WRONLY);
    if (file >= 0) return write(file, text.data(), text.size());
  }
  const int made = openat(directory, "new", O_WRONLY | O_CREAT, 0600);
  return made < 0 ? -1 : 1;
}

int exclusive(const Victim& victim, const std::string& to) {
  return write_and_close(open(procs(to).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600), victim);
}

// A child that was there before gets the descriptor, and writes.
ssize_t by_sibling(int fd, const std::string& text) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return -1;
  const pid_t sibling = fork();
  if (sibling == 0) {
    close(fd);
    _exit(take(ends[1], text));
  }
  (void)pass(ends[0], fd);
  int status = 0;
  waitpid(sibling, &status, 0);
  close(ends[0]);
  close(ends[1]);
  errno = WEXITSTATUS(status);
  return errno == 0 ? 1 : -1;
}

// As shells append.
ssize_t appended(int fd, const std::string& text) {
  if (fcntl(fd, F_SETFL, O_APPEND) != 0 || ftruncate(fd, 0) != 0) return -1;
  return write(fd, text.data(), text.size());
}

// Hands the descriptor to a task outside by the unix socket 7; the other end is the argument of "door".
ssize_t handed_out(int fd, const std::string&) {
  int answer = 0;
  if (!pass(7, fd) || read(7, &answer, sizeof(answer)) != sizeof(answer)) return -1;
  errno = answer;
  return answer == 0 ? 1 : -1;
}

// The other end of handed_out().
int take_and_write(int socket, const std::string& text) {
  const int error = take(socket, text);
  std::printf("door %s\n", error == 0 ? "moved" : strerrorname_np(error));
  return write(socket, &error, sizeof(error)) == sizeof(error) ? 0 : 1;
}

int nonsense(const Victim&, const std::string& to) { return ways::write_file(procs(to), "1 2"); }

int nobody_there(const Victim&, const std::string& to) {
  return ways::write_file(procs(to), "4194300");
}

int unprivileged(const Victim& victim, const std::string& to) {
  const pid_t child = fork();
  if (child == 0) {
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(errno);
    _exit(write_and_close(open(procs(to).c_str(), O_WRONLY), victim));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

using Way = std::function<int(const Victim&, const std::string&)>;
const std::map<std::string, Way> kWays = {
    {"own-pid", ways::own_pid},
    {"zero", ways::zero},
    {"pid", ways::other_pid},
    {"tid", ways::other_tid},
    {"threads", ways::thread},
    {"clone3", ways::clone_plain},
    {"clone3-vfork", ways::clone_vfork},
    {"second-mount", ways::second_mount},
    {"io_uring", ways::io_uring_write},
    {"directory", by_directory},
    {"relative", relative},
    {"openat2", beneath},
    {"creat", created},
    {"rdwr", read_and_write},
    {"link", symbolic_link},
    {"reopened", reopened},
    {"reopened-by-thread", reopened_by_thread},
    {"handle", by_handle},
    {"detached-mount", detached_mount},
    {"writev", by_vectors},
    {"stream", by_stream},
    {"pwrite", by_position},
    {"padded", padded},
    {"40-bytes", [](auto& v, auto& to) { return written_as(v, to, as_40_bytes); }},
    {"page", [](auto& v, auto& to) { return written_as(v, to, as_a_page); }},
    {"high-bits", [](auto& v, auto& to) { return written_as(v, to, with_high_bits); }},
    {"many-parts", [](auto& v, auto& to) { return written_as(v, to, with_many_parts); }},
    {"parts-high-bits",
     [](auto& v, auto& to) { return written_as(v, to, with_parts_of_high_bits); }},
    {"pwritev", [](auto& v, auto& to) { return written_as(v, to, as_pwritev); }},
    {"pwritev2", [](auto& v, auto& to) { return written_as(v, to, as_pwritev2); }},
    {"sendfile", [](auto& v, auto& to) { return written_as(v, to, as_sendfile); }},
    {"copy", [](auto& v, auto& to) { return written_as(v, to, as_copy); }},
    {"splice", [](auto& v, auto& to) { return written_as(v, to, as_splice); }},
    {"aio", [](auto& v, auto& to) { return written_as(v, to, as_aio); }},
    {"mapped", by_mapping},
    {"child", [](auto& v, auto& to) { return written_as(v, to, by_child); }},
    {"thread", [](auto& v, auto& to) { return written_as(v, to, by_thread); }},
    {"own-name", [](auto& v, auto& to) { return written_as(v, to, by_own_name); }},
    {"own-name-to-read", [](auto& v, auto& to) { return written_as(v, to, by_own_name_to_read); }},
    {"own-handle", [](auto& v, auto& to) { return written_as(v, to, by_own_handle); }},
    {"own-directory", [](auto& v, auto& to) { return written_as(v, to, by_own_directory); }},
    {"exclusive", exclusive},
    {"sibling", [](auto& v, auto& to) { return written_as(v, to, by_sibling); }},
    {"appended", [](auto& v, auto& to) { return written_as(v, to, appended); }},
    {"handed-out", [](auto& v, auto& to) { return written_as(v, to, handed_out); }},
    {"nonsense", nonsense},
    {"nobody-there", nobody_there},
    {"unprivileged", unprivileged},
};

void tell(const std::string& way, int error) {
  std::printf("%s %s\n", way.c_str(), error == 0 ? "moved" : strerrorname_np(error));
  std::fflush(stdout);
}

bool is_in(const std::string& cgroup, const Victim& victim) {
  std::string text;
  std::ifstream own("/proc/" + std::to_string(victim.pid) + "/cgroup");
  while (std::getline(own, text))
    if (text == "0::" + cgroup) return true;
  return false;
}

// One thread turns the path between a harmless file and the cgroup's, the other opens it.
int move_by_path(const std::string& to, const Victim& victim) {
  const std::string harmless = "/tmp/harmless";
  close(open(harmless.c_str(), O_CREAT | O_WRONLY, 0644));
  static char path[256];
  std::strcpy(path, harmless.c_str());
  std::atomic<bool> stop = false;
  std::thread turner([&] {
    while (!stop) {
      std::strcpy(path, procs(to).c_str());
      std::strcpy(path, harmless.c_str());
    }
  });
  struct race rounds = {.rounds = 2000, .begun = 0, .since = 0, .over_at = 0};
  bool refused = false;
  while (race_goes_on(&rounds, refused || is_in(to, victim))) {
    const int fd = open(path, O_WRONLY);
    // Half of one path and half of the other is no refusal. A long write goes to the kernel as it is.
    if (fd < 0)
      refused = refused || errno == EACCES || errno == EPERM;
    else if (ways::write_to(fd, std::to_string(victim.pid) + std::string(64, '\n')) != 0)
      refused = true;
    if (fd >= 0) close(fd);
  }
  stop = true;
  turner.join();
  std::printf("race moved %d refused %d\n", is_in(to, victim), refused);
  return 0;
}

// One thread turns a descriptor between a harmless file and the cgroup's, as a path (O_PATH) and as what
// was opened. The other opens it again by its name, and writes to it.
int move_by_descriptor(const std::string& to, const Victim& victim) {
  constexpr int kPath = 77;
  constexpr int kOpened = 78;
  const std::string name = "/proc/self/fd/" + std::to_string(kPath);
  const int harmless = open("/dev/null", O_WRONLY);
  const int cgroup = open(procs(to).c_str(), O_PATH);
  const int given = open(procs(to).c_str(), O_WRONLY);
  if (harmless < 0 || cgroup < 0 || given < 0) return 1;
  dup2(harmless, kPath);
  dup2(harmless, kOpened);
  std::atomic<bool> stop = false;
  std::thread turner([&] {
    while (!stop) {
      dup2(cgroup, kPath);
      dup2(given, kOpened);
      dup2(harmless, kPath);
      dup2(harmless, kOpened);
    }
  });
  const std::string text = std::to_string(victim.pid);
  struct race rounds = {.rounds = 2000, .begun = 0, .since = 0, .over_at = 0};
  bool refused = false;
  while (race_goes_on(&rounds, refused || is_in(to, victim))) {
    if (ways::write_to(kOpened, text) != 0) refused = true;
    const int fd = open(name.c_str(), O_WRONLY);
    if (fd < 0) continue;
    if (ways::write_to(fd, text) != 0) refused = true;
    close(fd);
  }
  stop = true;
  turner.join();
  std::printf("descriptor race moved %d refused %d\n", is_in(to, victim), refused);
  return 0;
}

std::uint64_t own_mounts() {
  struct stat facts = {};
  return stat("/proc/thread-self/ns/mnt", &facts) == 0 ? facts.st_ino : 0;
}

// A descriptor is turned between a harmless namespace and one of mounts, by a thread or by a process
// that shares the table, while another thread enters what it names.
int swap(const std::string& sharer, const std::string& what, int mounts) {
  constexpr int kSwapped = 77;
  int harmless = open("/proc/self/ns/uts", O_RDONLY);
  int flags = 0;
  if (what == "types") flags = CLONE_NEWUTS | CLONE_NEWNS;
  if (what == "pidfd") {
    flags = CLONE_NEWNS;
    harmless = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  }
  dup2(harmless, kSwapped);
  std::atomic<bool> stop = false;
  const auto turn = [&] {
    while (!stop) {
      dup2(mounts, kSwapped);
      dup2(harmless, kSwapped);
    }
  };
  std::thread turner;
  pid_t process = -1;
  if (sharer == "thread") turner = std::thread(turn);
  if (sharer == "process") {
    process = static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (process == 0) turn();
    if (process < 0) std::printf("swap shares no table: %s\n", strerrorname_np(errno));
  }
  int last = 0;
  bool entered = false;
  std::thread caller([&] {
    if (unshare(CLONE_FS) != 0) return;
    const std::uint64_t before = own_mounts();
    struct race rounds = {.rounds = 1000, .begun = 0, .since = 0, .over_at = 0};
    while (!entered && race_goes_on(&rounds, last != 0)) {
      if (setns(kSwapped, flags) != 0) last = errno;
      entered = own_mounts() != before;
    }
  });
  caller.join();
  stop = true;
  if (turner.joinable()) turner.join();
  if (process > 0) kill(process, SIGKILL);
  if (entered)
    std::printf("swap entered\n");
  else
    std::printf("swap stayed %s\n", last == 0 ? "0" : strerrorname_np(last));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  if (std::string(argv[1]) == "swap" && argc == 5)
    return swap(argv[2], argv[3], std::atoi(argv[4]));
  if (std::string(argv[1]) == "door") return take_and_write(std::atoi(argv[2]), argv[3]);
  if (std::string(argv[1]) == "race-by-descriptor")
    return move_by_descriptor(argv[2], {std::atoi(argv[3]), -1});
  if (std::string(argv[1]) == "race") return move_by_path(argv[2], {std::atoi(argv[3]), -1});
  const std::string to = argv[1];
  const Victim victim = {std::atoi(argv[2]), std::atoi(argv[2])};
  for (int i = 3; i < argc; i++) {
    const auto way = kWays.find(argv[i]);
    if (way == kWays.end()) return 2;
    tell(argv[i], way->second(victim, to));
  }
  return 0;
}
