// SPDX-License-Identifier: Apache-2.0
// The programs that keep machine-wide enforcement standing (bpf/guard/machine_guard.bpf.c).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GUARD_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GUARD_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/machine.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/guard.h"
#include "kernel/bpf/bpf_object.h"
#include "kernel/bpf/bpf_pin.h"

namespace holdfast::backend::lsm {

// Are there files to guard besides the pins? It costs each task that opens a file for writing.
enum class GuardFiles { no, yes };

// One thread.
class MachineGuard {
 public:
  // Loads and attaches. From here on the calling process is the daemon, and so is each that runs
  // a file of its name in its directory and is in no session. `session_tasks_fd`, borrowed: the map
  // of the members of sessions. Detached when destroyed unless pin() was called.
  [[nodiscard]] static Result<std::unique_ptr<MachineGuard>> attach(GuardFiles files,
                                                                    int session_tasks_fd);
  // What pin() left in an instance's directory. Nothing: it was made without a guard. Errors: EPERM
  // the calling process is not the daemon's to the guard in force; EPROTO pins are missing.
  [[nodiscard]] static Result<std::unique_ptr<MachineGuard>> adopt(const std::string& directory);
  [[nodiscard]] static bool is_in(const std::string& directory);
  // Of the programs that attach() would load.
  [[nodiscard]] static std::uint64_t digest();
  ~MachineGuard();
  MachineGuard(const MachineGuard&) = delete;
  MachineGuard& operator=(const MachineGuard&) = delete;

  [[nodiscard]] Result<void> pin(const std::string& directory);
  // From here on what is pinned in the directory, and it and the two above, are out of reach.
  [[nodiscard]] Result<void> protect(const std::string& directory) const;
  // Only the daemon changes these directories, with all below, from here on; those above stay where
  // they are. Sealed: nothing, for they are. Of an instance that was attached with GuardFiles::yes.
  [[nodiscard]] Result<void> protect_files(const std::vector<GuardedDirectory>& directories) const;
  // The calling process serves what this guards: sealed, it alone changes the state's directory.
  [[nodiscard]] Result<void> serve() const;
  // Takes the program off that no pin holds. Before the pins are removed.
  [[nodiscard]] static Result<void> detach_sysctl(const std::string& directory);

  // Only the file that this process executes makes a daemon from here on. `secret`: of the token.
  // `files` begins with the path of that file. Of an adopted one. Errors: as seal_machine().
  [[nodiscard]] Result<void> seal(const std::string& secret, const SealedFiles& files);
  // On error it is unsealed, but programs that are for the seal stay attached.
  [[nodiscard]] Result<void> unseal();
  [[nodiscard]] bool sealed() const;
  [[nodiscard]] std::string secret() const;
  // Refusals since it was attached, by HF_GUARD_*, and those whose event was lost.
  [[nodiscard]] std::vector<std::uint64_t> refused() const;
  [[nodiscard]] std::uint64_t lost() const;

  [[nodiscard]] int poll_fd() const;
  // The refusals since the last call.
  [[nodiscard]] Result<std::vector<hf_guard_event>> take();

 private:
  MachineGuard() = default;
  [[nodiscard]] Result<void> use(int state_fd, int events_fd);
  [[nodiscard]] Result<void> protect_directory(const std::string& path, std::uint32_t how,
                                               std::uint32_t what) const;
  enum class Until { ended, unsealed };
  [[nodiscard]] Result<void> claim(const std::string& path, int fd, std::uint32_t how,
                                   std::uint32_t what, Until until) const;
  [[nodiscard]] Result<void> protect_above(const std::string& path, Until until) const;
  [[nodiscard]] Result<void> protect_sealed(const SealedFiles& files) const;
  [[nodiscard]] Result<void> attach_for_seal() const;
  [[nodiscard]] hf_guard_state& state() const {
    return *static_cast<hf_guard_state*>(state_->data());
  }

  std::optional<kernel::BpfObject> object_;  // not when adopted
  std::vector<kernel::BpfLink> links_;
  std::vector<Fd> pins_;
  std::vector<std::string> for_seal_;  // programs that are loaded and not attached
  Fd ids_, sysctl_, seal_, protect_, serve_;
  bool pinned_ = false;
  std::string directory_;  // of its pins, of an adopted one
  std::unique_ptr<kernel::MappedValue> state_;
  std::unique_ptr<kernel::BpfRing> ring_;
  std::vector<hf_guard_event> events_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GUARD_H
