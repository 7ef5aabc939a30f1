// SPDX-License-Identifier: Apache-2.0
// What the programs that test other people's objects have in common: TAP, and namespaces to enter.
#ifndef HOLDFAST_TESTS_PROGRAMS_THIRDPARTY_TAP_H
#define HOLDFAST_TESTS_PROGRAMS_THIRDPARTY_TAP_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

namespace thirdparty {

// What libbpf has printed, but for what helps to debug it, while collect() is its printer.
inline std::string printed;

inline int collect(libbpf_print_level level, const char* format, va_list arguments) {
  char line[16384];
  if (level != LIBBPF_DEBUG) {
    std::vsnprintf(line, sizeof line, format, arguments);
    printed += line;
  }
  return 0;
}

inline int tap_number = 0;
inline int tap_failed = 0;

inline bool check(bool passed, const std::string& name) {
  std::printf("%sok %d - %s\n", passed ? "" : "not ", ++tap_number, name.c_str());
  std::fflush(stdout);
  if (!passed) tap_failed++;
  return passed;
}

inline bool is(long long got, long long wanted, const std::string& name) {
  const bool same = check(got == wanted, name);
  if (!same) std::printf("# got %lld, wanted %lld\n", got, wanted);
  return same;
}

// The plan, and the exit status.
inline int tap_end() {
  std::printf("1..%d\n", tap_number);
  return tap_failed == 0 ? 0 : 1;
}

struct Type {
  const char* name;
  int flag;
};
inline constexpr Type kTypes[] = {{"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},
                                  {"net", CLONE_NEWNET},   {"mnt", CLONE_NEWNS},
                                  {"pid", CLONE_NEWPID},   {"cgroup", CLONE_NEWCGROUP},
                                  {"time", CLONE_NEWTIME}, {"user", CLONE_NEWUSER}};

inline std::string ns_path(const Type& type, const char* pid = "self") {
  std::string name = type.name;
  if (type.flag == CLONE_NEWPID || type.flag == CLONE_NEWTIME) name += "_for_children";
  return std::string("/proc/") + pid + "/ns/" + name;
}

inline unsigned inum_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? static_cast<unsigned>(status.st_ino) : 0;
}

// A new namespace of a type, as a descriptor; -1 when the kernel refuses.
inline int new_namespace(const Type& type) {
  int pipes[2];
  int go[2];
  if (pipe(pipes) != 0 || pipe(go) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    char result = unshare(type.flag) == 0 ? 1 : 0;
    // A pid or time namespace exists once it has been entered by a child.
    if (result != 0 && type.flag == CLONE_NEWPID && fork() == 0) {
      close_range(0, ~0U, 0);  // links among them: what is open here stays attached
      pause();
      _exit(0);
    }
    if (write(pipes[1], &result, 1) != 1) _exit(1);
    if (read(go[0], &result, 1) != 1) _exit(1);
    _exit(0);
  }
  char result = 0;
  int fd = -1;
  if (read(pipes[0], &result, 1) == 1 && result == 1) {
    fd = open(ns_path(type, std::to_string(child).c_str()).c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (write(go[1], &result, 1) != 1) fd = -1;
  waitpid(child, nullptr, 0);
  for (int end : {pipes[0], pipes[1], go[0], go[1]}) close(end);
  return fd;
}

// In a child of its own: 0, or the errno that `act` returns (0 to 255).
inline int in_child(const std::function<int()>& act) {
  const pid_t child = fork();
  if (child == 0) _exit(act());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

inline int setns_errno(int fd, int type) { return setns(fd, type) == 0 ? 0 : errno; }

// The kernel's entry drops the upper 32 bits of the number; the registers that it saves keep them.
inline int setns_errno_by_number_of_64_bits(int fd) {
  return syscall(SYS_setns | 0x7eadbeef00000000, fd, 0) == 0 ? 0 : errno;
}

inline int setns_errno_by_int80(int fd) {
  long result = 0;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(346L), "b"(static_cast<long>(fd)), "c"(0L), "d"(0L)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(-result);
}

inline bool kernel_has(const std::string& symbol) {
  std::ifstream symbols("/proc/kallsyms");
  for (std::string line; std::getline(symbols, line);) {
    if (line.ends_with(" " + symbol)) return true;
  }
  return false;
}

// The map of this name that was made last; -1 when there is none.
inline int newest_map(const std::string& name) {
  int newest = -1;
  for (unsigned id = 0; bpf_map_get_next_id(id, &id) == 0;) {
    int fd = bpf_map_get_fd_by_id(id);
    bpf_map_info info{};
    unsigned bytes = sizeof info;
    const bool found = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
                       name == static_cast<const char*>(info.name);
    if (found) std::swap(newest, fd);
    if (fd >= 0) close(fd);
  }
  return newest;
}

// Leaves no room for verdicts, so that each gets lost, for as long as it lives. Of the program that
// was loaded last.
class NoRoom {
 public:
  NoRoom() : fd_(newest_map("hf_verdicts")) {
    const char value[64] = {};
    for (unsigned long long key = 1; bpf_map_update_elem(fd_, &key, value, BPF_NOEXIST) == 0; key++)
      filled_ = key;
  }
  ~NoRoom() {
    for (unsigned long long key = 1; key <= filled_; key++) bpf_map_delete_elem(fd_, &key);
    close(fd_);
  }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;
  [[nodiscard]] bool full() const { return filled_ > 1000; }

 private:
  int fd_;
  unsigned long long filled_ = 0;
};

}  // namespace thirdparty

#endif  // HOLDFAST_TESTS_PROGRAMS_THIRDPARTY_TAP_H
