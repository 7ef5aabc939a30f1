// SPDX-License-Identifier: Apache-2.0
// What stays as it is while the machine is sealed, beside the policy: by which holdfastd is started.
#ifndef HOLDFAST_DAEMON_SEALED_FILES_H
#define HOLDFAST_DAEMON_SEALED_FILES_H

#include "backend/machine.h"
#include "base/result.h"

namespace holdfast::daemon {

// First the program that this process executes; then, where there is systemd, its units by that
// name with their drop-ins, the links that start them, /etc/default/holdfastd, and the directories
// in which another one could be put in their place. Makes those of these directories that systemd
// makes when it is told to write a drop-in. Source: "Unit File Load Path" in systemd.unit(5).
// Errors: of reading /proc/self/exe and the directories.
[[nodiscard]] Result<backend::SealedFiles> sealed_files();

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SEALED_FILES_H
