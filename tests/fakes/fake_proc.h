// SPDX-License-Identifier: Apache-2.0
// A directory with the layout of /proc, for tasks that do not exist.
#ifndef HOLDFAST_TESTS_FAKES_FAKE_PROC_H
#define HOLDFAST_TESTS_FAKES_FAKE_PROC_H

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "kernel/proc/proc.h"

namespace holdfast::fakes {

struct FakeTask {
  pid_t thread = 0;
  pid_t process = 0;  // 0: the same
  pid_t parent = 1;
  unsigned threads = 1;
  unsigned uid = 1000;
  unsigned filters = 1;
  bool executed = true;             // a program, since it was made
  std::uint64_t start_ticks = 0;    // 0: before the run
  std::uint64_t namespaces = 1000;  // the number of its first namespace; the others follow
};

class FakeProc {
 public:
  FakeProc() {
    char pattern[] = "/tmp/fake_proc.XXXXXX";
    if (::mkdtemp(pattern) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = pattern;
    add({.thread = ::getpid(), .filters = 0, .namespaces = kOutside});
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  void add(const FakeTask& task) {
    const pid_t process = task.process == 0 ? task.thread : task.process;
    const auto directory = directory_of(task.thread);
    std::filesystem::create_directories(directory / "ns");
    std::filesystem::create_directories(directory / "fd");
    std::filesystem::create_directories(directory / "task" / std::to_string(task.thread));
    const std::string uid = std::to_string(task.uid);
    const std::string ids = uid + "\t" + uid + "\t" + uid + "\t" + uid;
    write(task.thread, "status",
          "Name:\tfake\nState:\tS (sleeping)\nTgid:\t" + std::to_string(process) + "\nPid:\t" +
              std::to_string(task.thread) + "\nPPid:\t" + std::to_string(task.parent) + "\nUid:\t" +
              ids + "\nGid:\t" + ids + "\nFDSize:\t64\nGroups:\t\nNSpid:\t" +
              std::to_string(task.thread) + "\nThreads:\t" + std::to_string(task.threads) +
              "\nSigPnd:\t0\nShdPnd:\t0\nSigBlk:\t0\nSigIgn:\t0\nCapEff:\t0\nSeccomp_filters:\t" +
              std::to_string(task.filters) + "\n");
    write(task.thread, "stat",
          std::to_string(task.thread) + " (fake (x) y) S 1 1 1 0 -1 " +
              std::to_string(task.executed ? 0 : 0x40) + " 0 0 0 0 0 0 0 0 20 0 1 0 " +
              std::to_string(task.start_ticks) + " 0 0\n");
    write(task.thread, "comm", "fake\n");
    write(task.thread, "cgroup", "0::/fake\n");
    write(task.thread, "limits",
          "Max open files            1024                 1024       files\n");
    write(task.thread, "mountinfo", "");
    write(task.thread, "mem", "");
    write(task.thread, "task/" + std::to_string(task.thread) + "/children", "");
    constexpr std::array kLinks = {"mnt",
                                   "uts",
                                   "ipc",
                                   "user",
                                   "pid",
                                   "net",
                                   "cgroup",
                                   "time",
                                   "pid_for_children",
                                   "time_for_children"};
    for (std::size_t i = 0; i < kLinks.size(); i++) {
      const std::size_t type = i == 8 ? 4 : i == 9 ? 7 : i;
      std::filesystem::create_symlink("ns:[" + std::to_string(task.namespaces + type) + "]",
                                      directory / "ns" / kLinks[i]);
    }
    // Descriptor 3 is a socket that cannot be duplicated, 4 a file.
    std::filesystem::create_symlink("socket:[7]", directory / "fd" / "3");
    std::filesystem::create_symlink("/etc/passwd", directory / "fd" / "4");
    std::filesystem::create_symlink("/", directory / "root");
    std::filesystem::create_symlink("/", directory / "cwd");
  }
  void write(pid_t thread, const std::string& file, std::string_view text) {
    std::ofstream(directory_of(thread) / file, std::ios::trunc | std::ios::binary) << text;
  }
  // What the thread's memory holds at this address, which is below 1 GiB.
  void write_memory(pid_t thread, std::uint64_t address, std::string_view bytes) {
    std::fstream memory(directory_of(thread) / "mem",
                        std::ios::in | std::ios::out | std::ios::binary);
    memory.seekp(static_cast<std::streamoff>(address));
    memory << bytes;
  }
  void remove_file(pid_t thread, const std::string& file) {
    std::filesystem::remove(directory_of(thread) / file);
  }
  void remove(pid_t thread) { std::filesystem::remove_all(directory_of(thread)); }

  [[nodiscard]] kernel::Proc open() const {
    auto proc = kernel::Proc::at(Fd(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
    if (!proc) throw std::runtime_error(proc.error().message());
    return std::move(*proc);
  }

  static constexpr std::uint64_t kOutside = 100;  // namespaces of this process

 private:
  [[nodiscard]] std::filesystem::path directory_of(pid_t thread) const {
    return root_ / std::to_string(thread);
  }
  std::filesystem::path root_;
};

}  // namespace holdfast::fakes

#endif  // HOLDFAST_TESTS_FAKES_FAKE_PROC_H
