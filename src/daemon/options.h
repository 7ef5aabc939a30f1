// SPDX-License-Identifier: Apache-2.0
// How holdfastd was started, and what it says at its end.
#ifndef HOLDFAST_DAEMON_OPTIONS_H
#define HOLDFAST_DAEMON_OPTIONS_H

#include <string>

#include "backend/machine.h"
#include "daemon/event_writer.h"
#include "daemon/policy_dir.h"
#include "daemon/policy_life.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;        // bad usage or bad policy
inline constexpr int kExitUnknown = 2;      // of --is-sealed: it cannot be told
inline constexpr int kExitImpossible = 77;  // not possible on this machine

// What to do about rules that cannot be held for the whole machine.
enum class Unenforced { refuse, allow };

// Whether enforcement goes on when the process ends.
enum class Lifetime { kept, transient };

// Whether only holdfastd changes the files of the policy and its own state.
enum class PolicyFiles { free, guarded };

// Whether the kernel counts and times the runs of BPF programs while holdfastd runs.
enum class ProgramRuns { uncounted, counted };

struct Options {
  PolicyDirs dirs;
  FilesLive files_live = FilesLive::by_themselves;
  EventFormat format = EventFormat::pretty;
  Unenforced unenforced = Unenforced::refuse;
  Lifetime lifetime = Lifetime::kept;
  backend::Guard guard = backend::Guard::on;
  PolicyFiles policy_files = PolicyFiles::free;
  ProgramRuns program_runs = ProgramRuns::uncounted;
  std::string cgroup_root = "/sys/fs/cgroup";
  std::string pin_dir = "/sys/fs/bpf/holdfast/machine";
  std::string socket = rpc::kControlSocket;           // empty: none
  std::uint64_t log_bytes = std::uint64_t{16} << 20;  // of each of the two files; 0: no log
  std::string state_dir = "/var/lib/holdfast";
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_OPTIONS_H
