// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/cgroup_self_test.h"

#include <unistd.h>

#include <cerrno>

#include "backend/lsm/machine/machine_programs.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/process/process.h"

namespace holdfast::backend::lsm {

namespace {

// Gone when destroyed.
class ScratchCgroup {
 public:
  static Result<ScratchCgroup> make(const std::string& cgroup_root) {
    const std::string directory = cgroup_root + "/holdfast-self-test-" + std::to_string(getpid());
    auto made = kernel::make_cgroup(directory);
    if (!made && made.error().code != EEXIST) return std::move(made).error();
    return ScratchCgroup(directory);
  }
  ScratchCgroup(ScratchCgroup&& other) noexcept : directory_(std::move(other.directory_)) {
    other.directory_.clear();
  }
  ScratchCgroup& operator=(ScratchCgroup&&) = delete;
  ~ScratchCgroup() {
    // An error leaves an empty cgroup behind, which the next start does not mind.
    if (!directory_.empty())
      if (auto removed = kernel::remove_cgroup(directory_); !removed) return;
  }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  explicit ScratchCgroup(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

Result<void> move_by_write(const std::string& directory) {
  HF_TRY_ASSIGN(const auto child, kernel::IdleChild::fork());
  return kernel::move_process(directory, child.pid());
}

Result<void> move_by_clone(const std::string& directory) {
  const auto cloned = kernel::IdleChild::fork_into(directory);
  return cloned ? Result<void>() : Result<void>(cloned.error());
}

}  // namespace

Result<void> prove_moves_refused(MachinePrograms& programs, const std::string& cgroup_root) {
  HF_TRY_ASSIGN(const auto cgroup, ScratchCgroup::make(cgroup_root));
  HF_TRY_ASSIGN(const auto id, kernel::cgroup_id(cgroup.directory()));
  const std::pair<const char*, Result<void> (*)(const std::string&)> ways[] = {
      {"a write to cgroup.procs", move_by_write}, {"clone3 into a cgroup", move_by_clone}};
  for (const auto& [name, move] : ways) {
    HF_TRY_ASSIGN(const auto probe, programs.begin_probe(id));
    const auto moved = move(cgroup.directory());
    const bool answered = programs.end_probe(probe);
    if (moved)
      return Error{EPERM, "self-test", cgroup.directory(),
                   std::string(name) + " was not refused: nothing is enforced here"};
    if (moved.error().code != EPERM) return wrap(moved, "self-test");
    if (!answered)
      return Error{EPERM, "self-test", cgroup.directory(),
                   std::string(name) + " was refused, but not by the programs that are attached"};
  }
  return {};
}

}  // namespace holdfast::backend::lsm
