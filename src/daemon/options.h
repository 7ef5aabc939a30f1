// SPDX-License-Identifier: Apache-2.0
// The options of holdfastd and its exit codes.
#ifndef HOLDFAST_DAEMON_OPTIONS_H
#define HOLDFAST_DAEMON_OPTIONS_H

#include <string>

#include "backend/machine.h"
#include "daemon/event_writer.h"
#include "daemon/loaded_policy.h"
#include "daemon/policy_life.h"
#include "policy_dirs/policy_dirs.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;              // bad usage or bad policy
inline constexpr int kExitUnknown = 2;            // of --is-sealed: it could not be found out
inline constexpr int kExitBusy = rpc::kExitBusy;  // another process serves the pins
inline constexpr int kExitImpossible = 77;        // not possible on this machine

// kept: enforcement continues when the process ends. transient: it ends with the process. for_runs:
// it is that of sessions alone, and ends with the last one; until then it is kept.
enum class Lifetime { kept, transient, for_runs };

// guarded: only holdfastd can change the files of the policy and its own state.
enum class PolicyFiles { free, guarded };

// counted: while holdfastd runs, the kernel counts and times the runs of BPF programs.
enum class ProgramRuns { uncounted, counted };

struct Options {
  policy_dirs::PolicyDirs dirs;
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
  std::uint64_t log_bytes = std::uint64_t{16} << 20;  // maximum of each of two files; 0: no log
  std::string state_dir = "/var/lib/holdfast";        // not used with Lifetime::for_runs
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_OPTIONS_H
