// SPDX-License-Identifier: Apache-2.0
// Guards the directories of the policy and of holdfastd's state (bpf/guard/guard_dirs.bpf.h), and
// lets an administrator change the policy while they are guarded.
#ifndef HOLDFAST_DAEMON_POLICY_FILES_H
#define HOLDFAST_DAEMON_POLICY_FILES_H

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// These directories, with absolute paths.
[[nodiscard]] std::vector<backend::GuardedDirectory> guarded_directories(const Options& options);

// The path of the lock file. A process that installs files locks it exclusively, and a process that
// reads them locks it shared.
[[nodiscard]] std::string install_lock(const Options& options);

// Prepares the directories before they are guarded: makes those that do not exist. Errors: ELOOP a
// path or a file of the policy has a symbolic link, whose target would not be guarded; EINVAL a
// policy directory contains the state directory or the other way round, which must not be, since
// only the state directory may change while the machine is sealed.
[[nodiscard]] Result<void> prepare_guarded_files(const Options& options);

// Called once the directories are guarded. A file may have a second name elsewhere, or be open for
// writing. Replaces each such file by a copy and returns its path. This process must not have any
// of the files open for writing. Errors: those of reading and writing; some files may then still be
// writable.
[[nodiscard]] Result<std::vector<std::string>> renew_guarded_files(const Options& options);

// Is the machine sealed? Only for a better message: the guard in the kernel refuses the change in any
// case, even if the options name other pins. Errors: EPERM it is; those of backend::Seal::open().
[[nodiscard]] Result<void> refuse_when_sealed(const Options& options);

// Would the files be a policy that holdfastd accepts after the plan? Errors: code 0 they would not,
// with all mistakes in `detail`; those of reading the directories.
[[nodiscard]] Result<void> check_plan(const Options& options, const policy_dirs::Plan& plan);

// Prints an error of a command that changes the policy's files, and returns its exit code.
[[nodiscard]] int files_failed(const Error& error);

// The functions below print errors and return an exit code. Both fail while the machine is sealed.
//
// Copies the files to the last policy directory, if the whole policy with them is valid. A running
// holdfastd notices the change and makes it live.
int install_policy(const Options& options, const std::vector<std::string>& files);
// Removes the file `name` from the last policy directory, if the policy without it is valid.
int remove_policy(const Options& options, const std::string& name);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_FILES_H
