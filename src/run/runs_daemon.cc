// SPDX-License-Identifier: Apache-2.0
#include "run/runs_daemon.h"

#include <cerrno>
#include <filesystem>
#include <string>

#include "kernel/files/atomic_file.h"
#include "kernel/files/plain_file.h"
#include "kernel/process/process.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::run {
namespace {

namespace fs = std::filesystem;

constexpr char kDirectory[] = "/run/holdfast";
constexpr char kLog[] = "/run/holdfast/runs.log";
constexpr std::uintmax_t kMaxLog = 65536;
constexpr std::uint64_t kPatienceNs = 120'000'000'000;
constexpr std::uint64_t kBusyNs = 1'000'000'000;
constexpr unsigned kLookUs = 10'000;

// Beside this program, as in a build directory, or where packages have it.
Result<std::string> find_daemon() {
  std::error_code failed;
  const fs::path own = fs::read_symlink("/proc/self/exe", failed).parent_path();
  for (const char* place : {"holdfastd", "../sbin/holdfastd"}) {
    const fs::path program = (own / place).lexically_normal();
    if (!failed && fs::exists(program, failed)) return program.string();
  }
  return Error{ENOENT, "start", "holdfastd", "it is not installed beside holdfast"};
}

// What the last holdfastd said: the end of its log.
std::string last_words(std::uintmax_t since) {
  const auto text = kernel::read_plain_file(kLog, 4 * kMaxLog);
  if (!text || text->size() <= since) return "it ended";
  std::string said = text->substr(since);
  while (said.ends_with('\n')) said.pop_back();
  return said;
}

std::uintmax_t log_size() {
  std::error_code failed;
  const auto size = fs::file_size(kLog, failed);
  if (failed) return 0;
  if (size < kMaxLog) return size;
  fs::resize_file(kLog, 0, failed);
  return failed ? size : 0;
}

bool answers() { return static_cast<bool>(rpc::Client::connect(rpc::kRunsSocket)); }

}  // namespace

Result<void> start_runs_daemon() {
  if (answers()) return {};
  HF_TRY_ASSIGN(const auto program, find_daemon());
  HF_TRY(kernel::make_directories(kDirectory));
  const std::uint64_t end_ns = kernel::boottime_ns() + kPatienceNs;
  Fd daemon;
  std::uintmax_t said_before = 0;
  std::uint64_t start_ns = 0;  // not before
  // Another run may have started one at the same time, or one is about to end: then this one ends.
  for (; kernel::boottime_ns() < end_ns; kernel::sleep_us(kLookUs)) {
    if (answers()) return {};
    if (!daemon && kernel::boottime_ns() < start_ns) continue;
    if (!daemon) {
      said_before = log_size();
      HF_TRY_ASSIGN(daemon, kernel::start_daemon(program, rpc::kRunsArgument, kLog));
    }
    const auto ended = kernel::reap_exit_code(daemon.get());
    if (!ended) continue;
    if (*ended != rpc::kExitBusy)
      return Error{*ended == 77 ? ENOTSUP : ECHILD, "start", program, last_words(said_before)};
    daemon.reset();
    start_ns = kernel::boottime_ns() + kBusyNs;
  }
  return Error{ETIMEDOUT, "start", program, "it does not answer"};
}

}  // namespace holdfast::run
