// SPDX-License-Identifier: Apache-2.0
// The files that start holdfastd. They cannot be changed while the machine is sealed.
#ifndef HOLDFAST_DAEMON_SEALED_FILES_H
#define HOLDFAST_DAEMON_SEALED_FILES_H

#include "backend/machine.h"
#include "base/result.h"

namespace holdfast::daemon {

// Returns, in this order:
//
//   - the program that this process executes;
//   - with systemd: the units of holdfastd with their drop-ins, the links that start them, and
//     /etc/default/holdfastd;
//   - the directories in which a file could replace one of those.
//
// Makes the directories that systemd itself would make for a drop-in. Source: "Unit File Load Path"
// in systemd.unit(5). Errors: those of reading /proc/self/exe and the directories.
[[nodiscard]] Result<backend::SealedFiles> sealed_files();

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SEALED_FILES_H
