// SPDX-License-Identifier: Apache-2.0
// Proof that namespaces are held here, now. Attaching alone proves nothing: without "bpf" in lsm=,
// or with kernel.ftrace_enabled=0, the kernel attaches and never calls.
#ifndef HOLDFAST_BACKEND_LSM_RUN_SELF_TEST_H
#define HOLDFAST_BACKEND_LSM_RUN_SELF_TEST_H

#include "backend/lsm/run/programs.h"
#include "base/result.h"

namespace holdfast::backend::lsm {

// Forks a member of a policy that forbids everything, lets it try each way, and wants to see every
// refusal twice: as the errno and as an event of ours. On return the totals are zero and the ring
// is empty. The calling thread has to be the process's only one. Errors: EPERM when something was
// not refused, or not by these programs; ECHILD when the self-test died.
Result<void> run_self_test(const Programs& programs);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_SELF_TEST_H
