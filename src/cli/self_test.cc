// SPDX-License-Identifier: Apache-2.0
#include "cli/self_test.h"

#include <sched.h>

#include <cerrno>

#include "cli/commands.h"
#include "kernel/process/namespaces.h"

namespace holdfast::cli {

// Makes a user namespace, because that needs no privileges. For other types the kernel itself would
// refuse an unprivileged user, which would prove nothing.
int self_test() {
  const bool made = ::unshare(CLONE_NEWUSER) == 0;
  const bool creation_refused = !made && errno == EPERM;
  auto own = kernel::open_namespace_file("/proc/self/ns/uts");
  if (!own) return kExitFailed;
  const bool entered = ::setns(own->get(), CLONE_NEWUTS) == 0;
  const bool entry_refused = !entered && errno == EPERM;
  return creation_refused && entry_refused ? kExitOk : kExitFailed;
}

}  // namespace holdfast::cli
