// SPDX-License-Identifier: Apache-2.0
// Proof that moves are refused here, now: attaching alone proves nothing (without "bpf" in lsm=, or
// with kernel.ftrace_enabled=0, the kernel attaches and never calls).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H
#define HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H

#include <string>

#include "base/result.h"

namespace holdfast::backend::lsm {

class MachinePrograms;

// Makes a cgroup, tries to move a child into it by each way while `programs` refuse exactly that,
// and removes the cgroup. The policy in force does not matter and is not changed. Errors: EPERM the
// programs are not asked, or the kernel does not obey; what making the cgroup gave.
[[nodiscard]] Result<void> prove_moves_refused(MachinePrograms& programs,
                                               const std::string& cgroup_root);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_SELF_TEST_H
