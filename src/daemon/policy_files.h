// SPDX-License-Identifier: Apache-2.0
// The files of the policy and the daemon's state, when only the daemon may change them
// (bpf/guard/guard_dirs.bpf.h), and the way in which an administrator changes the policy then.
#ifndef HOLDFAST_DAEMON_POLICY_FILES_H
#define HOLDFAST_DAEMON_POLICY_FILES_H

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// Where these files are: absolute paths.
[[nodiscard]] std::vector<backend::GuardedDirectory> guarded_directories(const Options& options);

// Who has it open and locked installs files; who locks it shared reads them meanwhile.
[[nodiscard]] std::string install_lock(const Options& options);

// Before they are guarded: makes what is missing. Errors: ELOOP when a path, or a file of the
// policy, is or passes a symbolic link: what that leads to would not be guarded; EINVAL the state's
// directory and one of the policy's are in each other: sealed, the one changes and the other not.
[[nodiscard]] Result<void> prepare_guarded_files(const Options& options);

// Once they are guarded: replaces by a copy each file to which somebody has a way from before, a
// second name or a descriptor that writes. Nobody in this process may have one open for writing.
// Returns the copied. Errors: of reading and writing; then not everything is guarded.
[[nodiscard]] Result<std::vector<std::string>> renew_guarded_files(const Options& options);

// What main() does; each returns an exit code. Into the last policy directory, when all files are
// still one good policy with it; the daemon sees it and makes it live. Not while it is sealed.
int install_policy(const Options& options, const std::vector<std::string>& files);
// By its name in that directory.
int remove_policy(const Options& options, const std::string& name);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_FILES_H
