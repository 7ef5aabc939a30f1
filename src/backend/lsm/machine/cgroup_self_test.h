// SPDX-License-Identifier: Apache-2.0
// Proof that moves are refused here, now: attaching alone proves nothing (without "bpf" in lsm=, or
// with kernel.ftrace_enabled=0, the kernel attaches and never calls).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H
#define HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H

#include <memory>
#include <string>

#include "backend/machine.h"
#include "base/result.h"
#include "core/paths.h"
#include "kernel/cgroup/cgroup.h"

namespace holdfast::backend::lsm {

// A scratch cgroup that nobody may join or leave, gone when destroyed.
class CgroupSelfTest {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CgroupSelfTest>> create(
      const std::string& cgroup_root);
  ~CgroupSelfTest();
  CgroupSelfTest(const CgroupSelfTest&) = delete;
  CgroupSelfTest& operator=(const CgroupSelfTest&) = delete;

  // A policy of one profile, the scratch cgroup's.
  [[nodiscard]] const MachineSpec& spec() const { return spec_; }

  // Tries both ways in. Errors: EPERM when one succeeded; what the kernel said otherwise.
  [[nodiscard]] Result<void> attempt();
  [[nodiscard]] const std::string& directory() const { return directory_; }

  // Moves a child into the scratch cgroup, whatever the policy in force says to that.
  [[nodiscard]] Result<void> move_in();
  // Hand it the events that the attempts caused.
  void see(const hf_event& event);
  // Errors: EPERM when an attempt was refused without an event of ours.
  [[nodiscard]] Result<void> conclude() const;

 private:
  CgroupSelfTest(std::string directory, kernel::CgroupId id, std::unique_ptr<hf_tables> tables,
                 MachineSpec spec);

  std::string directory_;
  std::unique_ptr<hf_tables> tables_;
  MachineSpec spec_;
  kernel::CgroupId id_;
  unsigned write_events_ = 0;
  unsigned clone_events_ = 0;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H
