// SPDX-License-Identifier: Apache-2.0
// Every way to move a task between cgroups, each as a function that gives 0 or the errno.
#ifndef HOLDFAST_TESTS_CGROUP_WAYS_H
#define HOLDFAST_TESTS_CGROUP_WAYS_H

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace ways {

inline const std::string kRoot = "/sys/fs/cgroup";

// What is moved: a process and one of its threads that does not lead it.
struct Victim {
  pid_t pid = -1;
  pid_t tid = -1;
};

inline int write_to(int fd, const std::string& text) {
  return write(fd, text.data(), text.size()) < 0 ? errno : 0;
}

inline int write_file(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = write_to(fd, text);
  close(fd);
  return error;
}

inline int own_pid(const Victim&, const std::string& to) {
  return write_file(kRoot + to + "/cgroup.procs", std::to_string(getpid()));
}

inline int zero(const Victim&, const std::string& to) {
  return write_file(kRoot + to + "/cgroup.procs", "0");
}

inline int other_pid(const Victim& victim, const std::string& to) {
  return write_file(kRoot + to + "/cgroup.procs", std::to_string(victim.pid));
}

inline int other_tid(const Victim& victim, const std::string& to) {
  return write_file(kRoot + to + "/cgroup.procs", std::to_string(victim.tid));
}

inline int thread(const Victim& victim, const std::string& to) {
  return write_file(kRoot + to + "/cgroup.threads", std::to_string(victim.tid));
}

inline int clone_with(std::uint64_t flags, const std::string& to) {
  const int fd = open((kRoot + to).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  clone_args args = {};
  args.flags = CLONE_INTO_CGROUP | flags;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(fd);
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid == 0) _exit(0);
  const int error = pid < 0 ? errno : 0;
  if (pid > 0) waitpid(static_cast<pid_t>(pid), nullptr, 0);
  close(fd);
  return error;
}

inline int clone_plain(const Victim&, const std::string& to) { return clone_with(0, to); }

// The child has a stack page of its own below ours: it only ends.
inline int clone_vfork(const Victim&, const std::string& to) { return clone_with(CLONE_VFORK, to); }

inline int clone_vm(const Victim&, const std::string& to) {
  const int fd = open((kRoot + to).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  constexpr std::size_t kStack = 64 * 1024;
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  clone_args args = {};
  args.flags = CLONE_INTO_CGROUP | CLONE_VM | CLONE_VFORK;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(fd);
  args.stack = reinterpret_cast<__u64>(stack);
  args.stack_size = kStack;
  long result = SYS_clone3;
  // The child must not return through the parent's frames: it ends in place.
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%edi, %%edi\n\t"
      "mov $60, %%eax\n\t"
      "syscall\n\t"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof(args))
      : "rcx", "r11", "memory");
  if (result > 0) waitpid(static_cast<pid_t>(result), nullptr, 0);
  munmap(stack, kStack);
  close(fd);
  return result < 0 ? static_cast<int>(-result) : 0;
}

inline int second_mount(const Victim& victim, const std::string& to) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  mkdir("/tmp/second", 0755);
  if (mount("none", "/tmp/second", "cgroup2", 0, nullptr) != 0) return errno;
  return write_file("/tmp/second" + to + "/cgroup.procs", std::to_string(victim.pid));
}

// From a cgroup namespace, through a mount of its own. Its root is the hierarchy's: moves to
// outside of a namespace's root the kernel refuses by itself.
inline int cgroup_namespace(const Victim& victim, const std::string& to) {
  char text[256] = {};
  const int own = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (own < 0 || read(own, text, sizeof(text) - 1) < 0) return errno;
  close(own);
  std::string home = std::strstr(text, "0::") + 3;
  home.resize(home.find('\n'));
  if (const int error = write_file(kRoot + "/cgroup.procs", "0")) return error;
  if (unshare(CLONE_NEWCGROUP) != 0) return errno;
  if (const int error = write_file(kRoot + home + "/cgroup.procs", "0")) return error;
  return second_mount(victim, to);
}

// The descriptor was opened by another process, before.
inline int given_fd = -1;
inline int inherited_fd(const Victim& victim, const std::string&) {
  return write_to(given_fd, std::to_string(victim.pid));
}

// The same over a Unix socket.
inline int passed_fd(const Victim& victim, const std::string&) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return errno;
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &given_fd, sizeof(int));
  if (sendmsg(ends[0], &message, 0) < 0) return errno;
  if (recvmsg(ends[1], &message, 0) < 0) return errno;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  return write_to(fd, std::to_string(victim.pid));
}

// Written by a worker of io_uring: `current` in the kernel is a thread without a system call.
inline int io_uring_write(const Victim& victim, const std::string& to) {
  io_uring_params params = {};
  const int ring = static_cast<int>(syscall(SYS_io_uring_setup, 1, &params));
  if (ring < 0) return errno;
  const std::size_t sq_bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  const std::size_t cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  auto* sq = static_cast<char*>(mmap(nullptr, sq_bytes, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING));
  auto* cq = static_cast<char*>(mmap(nullptr, cq_bytes, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING));
  auto* sqe = static_cast<io_uring_sqe*>(mmap(nullptr, params.sq_entries * sizeof(io_uring_sqe),
                                              PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                                              ring, IORING_OFF_SQES));
  if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED) return errno;
  const int fd = open((kRoot + to + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const std::string text = std::to_string(victim.pid);
  std::memset(sqe, 0, sizeof(*sqe));
  sqe->opcode = IORING_OP_WRITE;
  sqe->flags = IOSQE_ASYNC;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<__u64>(text.data());
  sqe->len = static_cast<__u32>(text.size());
  *reinterpret_cast<unsigned*>(sq + params.sq_off.array) = 0;
  std::atomic_ref<unsigned>(*reinterpret_cast<unsigned*>(sq + params.sq_off.tail)).store(1);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) return errno;
  const int result = reinterpret_cast<io_uring_cqe*>(cq + params.cq_off.cqes)->res;
  close(fd);
  close(ring);
  return result < 0 ? -result : 0;
}

}  // namespace ways

#endif  // HOLDFAST_TESTS_CGROUP_WAYS_H
