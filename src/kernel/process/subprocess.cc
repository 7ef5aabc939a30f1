// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/deadline.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr std::size_t kBlock = std::size_t{64} * 1024;

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  return pointers;
}

}  // namespace

Result<Subprocess> Subprocess::start(const std::vector<std::string>& arguments,
                                     const std::vector<std::string>& environment) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe");
  Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> words = pointers_to(arguments);
  words.push_back(nullptr);
  std::vector<char*> variables = pointers_to(environment);
  for (char** inherited = environ; *inherited != nullptr; inherited++)
    variables.push_back(*inherited);
  variables.push_back(nullptr);
  pid_t process = -1;
  const int failed =
      posix_spawnp(&process, words[0], &actions, &attributes, words.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return Error{failed, "start", arguments[0], {}};
  return Subprocess(process, std::move(read_end));
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : process_(std::exchange(other.process_, -1)), output_(std::move(other.output_)) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    end();
    process_ = std::exchange(other.process_, -1);
    output_ = std::move(other.output_);
  }
  return *this;
}

Subprocess::~Subprocess() { end(); }

// The program may have left the group by itself, so it is killed by its number too.
void Subprocess::end() {
  if (process_ < 0) return;
  kill(-process_, SIGKILL);
  kill(process_, SIGKILL);
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

Result<std::string> Subprocess::read_some(int timeout_ms) const {
  pollfd awaited = {output_.get(), POLLIN, 0};
  int ready = 0;
  do ready = poll(&awaited, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  if (ready < 0) return system_error("poll");
  if (ready == 0) return Error{ETIMEDOUT, "read", "", "a program does not answer"};
  std::string block(kBlock, '\0');
  ssize_t count = 0;
  do count = read(output_.get(), block.data(), block.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) return system_error("read");
  block.resize(static_cast<std::size_t>(count));
  return block;
}

Result<int> Subprocess::wait() {
  int status = 0;
  pid_t ended = 0;
  do ended = waitpid(process_, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return system_error("wait");
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<ProgramEnd> run_program(const std::vector<std::string>& arguments, std::uint64_t timeout_ms,
                               std::size_t most_bytes,
                               const std::vector<std::string>& environment) {
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  const std::uint64_t due_ns = boottime_ns() + timeout_ms * kNsPerMs;
  HF_TRY_ASSIGN(auto program, Subprocess::start(arguments, environment));
  ProgramEnd end;
  while (true) {
    auto some = program.read_some(holdfast::timeout_ms(due_ns, boottime_ns()));
    if (!some) {
      Error error = std::move(some).error();
      error.object = arguments[0];
      return error;
    }
    if (some->empty()) break;
    end.output += *some;
    if (end.output.size() > most_bytes) return Error{EFBIG, "read the output of", arguments[0], ""};
  }
  // A program that has closed its output may still go on.
  while (true) {
    int status = 0;
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(program.process()), &info, WEXITED | WNOHANG | WNOWAIT) !=
        0)
      return system_error("wait");
    if (info.si_pid != 0) {
      HF_TRY_ASSIGN(status, program.wait());
      end.status = status;
      return end;
    }
    if (boottime_ns() >= due_ns) return Error{ETIMEDOUT, "wait for", arguments[0], ""};
    poll(nullptr, 0, 5);
  }
}

}  // namespace holdfast::kernel
