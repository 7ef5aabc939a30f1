// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/guardian.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

constexpr int kRoundMs = 5;

void sleep_ms(int ms) {
  const timespec time{ms / 1000, (ms % 1000) * 1'000'000L};
  nanosleep(&time, nullptr);
}

// Keeps what belongs to BPF and the one descriptor it watches; a pipe or terminal of the caller
// must not stay open because the guardian has a copy.
void close_foreign_descriptors(int keep_fd) {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    const int fd = static_cast<int>(std::strtol(entry->d_name, nullptr, 10));
    if (entry->d_name[0] == '.' || fd == keep_fd || fd == dirfd(directory)) continue;
    char target[32] = {};
    if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1) < 0) continue;
    if (std::strncmp(target, "anon_inode:bpf", 14) == 0 ||
        std::strncmp(target, "anon_inode:[bpf", 15) == 0)
      continue;
    close(fd);
  }
  closedir(directory);
  for (int fd = 0; fd < 3; fd++) open("/dev/null", O_RDWR);
}

Result<void> spare_from_oom_killer(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/oom_score_adj";
  constexpr std::string_view kNever = "-1000";  // OOM_SCORE_ADJ_MIN
  const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), kNever.data(), kNever.size()) < 0)
    return kernel::system_error("write", path);
  return {};
}

[[noreturn]] void guard(const Programs& programs, int holdfast_pidfd) {
  prctl(PR_SET_NAME, "holdfast-guard");
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  close_foreign_descriptors(holdfast_pidfd);
  if (!programs.protect_caller()) _exit(1);
  pollfd watched{holdfast_pidfd, POLLIN, 0};
  while (poll(&watched, 1, -1) <= 0) {
  }
  // As long as it takes: while a member is there, the links have to be.
  for (;;) {
    const auto gone = kill_members(programs, 1000);
    if (gone && *gone) _exit(0);
    if (!gone) sleep_ms(100);
  }
}

}  // namespace

Result<bool> kill_members(const Programs& programs, int patience_ms) {
  SessionRecord::at(programs.record().fields().closing).store(1);
  for (int waited_ms = 0;; waited_ms += kRoundMs) {
    HF_TRY_ASSIGN(auto pids, programs.members());
    if (pids.empty()) return true;
    if (waited_ms >= patience_ms) return false;
    // No pid can be recycled between listing and killing into anybody else's hands for long: it
    // would have to be freed and all numbers used up in these microseconds. Number 0 would be our
    // own group.
    for (const pid_t pid : pids)
      if (pid > 0) kill(pid, SIGKILL);
    sleep_ms(kRoundMs);
  }
}

Result<Guardian> Guardian::start(const Programs& programs) {
  const Fd own(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!own) return kernel::system_error("pidfd_open", "holdfast");
  const pid_t pid = fork();
  if (pid < 0) return kernel::system_error("fork", "guardian");
  if (pid == 0) guard(programs, own.get());
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return kernel::system_error("pidfd_open", "guardian");
  Guardian guardian(pid, std::move(pidfd));
  // The members can use up all memory, and the killing for it asks no security module.
  HF_TRY(spare_from_oom_killer(pid));
  return guardian;
}

void Guardian::leave_on_duty() { pid_ = -1; }

Guardian::~Guardian() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  kernel::wait_for_end(pid_);
}

}  // namespace holdfast::backend::lsm
