// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "backend/machine.h"
#include "daemon/loaded_policy.h"
#include "kernel/files/atomic_file.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::daemon {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kPolicyMode = 0644;

std::string absolute(const std::string& path) {
  std::error_code failed;
  std::string text = fs::absolute(path, failed).lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Error through_a_link(const std::string& path) {
  return Error{ELOOP, "protect", path, "a symbolic link: its target would not be protected"};
}

// Does a link lead to a file in a directory that is guarded itself?
bool leads_to_guarded(const std::string& path, const Options& options) {
  std::error_code failed;
  const fs::path target = fs::canonical(path, failed);
  if (failed) return false;
  const auto directories = guarded_directories(options);
  return std::ranges::any_of(directories, [&](const backend::GuardedDirectory& guarded) {
    return target.parent_path() == guarded.path;
  });
}

Result<bool> renew(const fs::path& path) {
  HF_TRY_ASSIGN(const auto reachable, kernel::has_other_writers(path.string()));
  if (!reachable) return false;
  // From here on no other user can make or open a file here.
  const fs::path copy = path.string() + ".new";
  std::error_code failed;
  fs::remove(copy, failed);
  if (!failed) fs::copy_file(path, copy, failed);
  if (!failed) fs::rename(copy, path, failed);
  if (failed) return Error{failed.value(), "copy", path.string(), {}};
  return true;
}

bool is_at_or_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

}  // namespace

int files_failed(const Error& error) {
  if (error.code == 0)
    fmt::print(stderr, "{}", error.detail);
  else
    fmt::print(stderr, "holdfastd: {}\n", error.message());
  return error.code == 0 ? kExitUsage : kExitFailed;
}

Result<void> check_plan(const Options& options, const policy_dirs::Plan& plan) {
  HF_TRY_ASSIGN(const auto files, check_files(options.dirs, options.unenforced, plan));
  if (files.mistakes.empty()) return {};
  return Error{0, "check", {}, mistakes_text(files.mistakes)};
}

Result<void> refuse_when_sealed(const Options& options) {
  HF_TRY_ASSIGN(const auto seal, backend::Seal::open(options.pin_dir));
  if (seal && seal->is_on())
    return Error{EPERM, "change the policy", "", "it is sealed: holdfastd --unseal"};
  return {};
}

std::vector<backend::GuardedDirectory> guarded_directories(const Options& options) {
  using Of = backend::GuardedDirectory::Of;
  std::vector<backend::GuardedDirectory> directories;
  for (const std::string& path : options.dirs.paths)
    directories.push_back({absolute(path), Of::policy});
  std::error_code failed;
  if (const std::string profiles = policy_dirs::kProfilesDirectory;
      fs::is_directory(profiles, failed))  // policy directories may have links to its files
    directories.push_back({profiles, Of::policy});
  directories.push_back({absolute(options.state_dir), Of::state});
  return directories;
}

std::string install_lock(const Options& options) { return options.state_dir + "/install.lock"; }

Result<void> prepare_guarded_files(const Options& options) {
  std::error_code failed;
  HF_TRY(kernel::make_directories(options.state_dir + "/generations"));
  const std::string state = absolute(options.state_dir);
  for (const auto& [path, of] : guarded_directories(options)) {
    if (of == backend::GuardedDirectory::Of::policy &&
        (is_at_or_below(path, state) || is_at_or_below(state, path)))
      return Error{EINVAL, "protect", path,
                   "the directories of the state and of the policy overlap"};
    HF_TRY(kernel::make_directories(path));
    if (fs::canonical(path, failed).string() != path) return through_a_link(path);
  }
  HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(options.dirs));
  for (const policy_dirs::PolicyUnit& unit : units)
    for (const policy_dirs::PolicyFile& file : unit.files)
      // A mask is known by its text: what it leads to does not matter.
      if (file.use != policy_dirs::Use::masked &&
          fs::is_symlink(fs::symlink_status(file.path, failed)) &&
          !leads_to_guarded(file.path, options))
        return through_a_link(file.path);
  return {};
}

Result<std::vector<std::string>> renew_guarded_files(const Options& options) {
  std::vector<std::string> copied;
  for (const backend::GuardedDirectory& guarded : guarded_directories(options)) {
    HF_TRY_ASSIGN(const auto directories, kernel::directories_below(guarded.path));
    for (const std::string& directory : directories) {
      std::error_code failed;
      for (const fs::directory_entry& entry : fs::directory_iterator(directory, failed)) {
        if (entry.symlink_status(failed).type() != fs::file_type::regular) continue;
        HF_TRY_ASSIGN(const auto done, renew(entry.path()));
        if (done) copied.push_back(entry.path().string());
      }
      if (failed) return Error{failed.value(), "read directory", directory, {}};
    }
  }
  return copied;
}

int install_policy(const Options& options, const std::vector<std::string>& files) {
  if (auto free = refuse_when_sealed(options); !free) return files_failed(free.error());
  // The lock keeps holdfastd from reading only some of the files, and other processes from
  // installing at the same time. Either could make a policy live that was not checked.
  const auto lock = kernel::lock_file(install_lock(options), kernel::Lock::exclusive);
  if (!lock) return files_failed(lock.error());
  const std::string directory = options.dirs.paths.back();
  policy_dirs::Plan plan;
  for (const std::string& file : files) {
    auto source = policy::read_source(file);
    if (!source) return files_failed(source.error());
    const std::string name = fs::path(file).filename().string();
    if (!name.ends_with(".toml") || name.starts_with('.'))
      return files_failed(
          Error{EINVAL, "install", file, "the name of a policy file has to end in .toml"});
    plan[directory + "/" + name] = {policy_dirs::PlannedFile::Kind::text, std::move(source->text)};
  }
  if (auto good = check_plan(options, plan); !good) return files_failed(good.error());
  if (auto made = kernel::make_directories(directory); !made) return files_failed(made.error());
  std::vector<kernel::NewFile> written;
  written.reserve(plan.size());
  for (const auto& [path, planned] : plan) written.push_back({path, planned.text});
  if (auto done = kernel::replace_files(written, kPolicyMode); !done)
    return files_failed(done.error());
  return kExitOk;
}

int remove_policy(const Options& options, const std::string& name) {
  if (auto free = refuse_when_sealed(options); !free) return files_failed(free.error());
  const auto lock = kernel::lock_file(install_lock(options), kernel::Lock::exclusive);
  if (!lock) return files_failed(lock.error());
  const std::string path = options.dirs.paths.back() + "/" + name;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error)))
    return files_failed(Error{ENOENT, "remove", path, ""});
  // A file of the same name in an earlier directory is in effect again.
  if (auto good = check_plan(options, {{path, {policy_dirs::PlannedFile::Kind::absent, ""}}});
      !good)
    return files_failed(good.error());
  fs::remove(path, error);
  return error ? files_failed(Error{error.value(), "remove", path, ""}) : kExitOk;
}

}  // namespace holdfast::daemon
