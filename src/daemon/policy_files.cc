// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy_files.h"

#include <fmt/core.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include "backend/machine.h"
#include "daemon/policy_dir.h"
#include "daemon/unenforced.h"
#include "kernel/files/atomic_file.h"

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

Result<bool> renew(const fs::path& path) {
  HF_TRY_ASSIGN(const auto reachable, kernel::has_other_writers(path.string()));
  if (!reachable) return false;
  // Nobody else makes or opens anything here any more.
  const fs::path copy = path.string() + ".new";
  std::error_code failed;
  fs::remove(copy, failed);
  if (!failed) fs::copy_file(path, copy, failed);
  if (!failed) fs::rename(copy, path, failed);
  if (failed) return Error{failed.value(), "copy", path.string(), {}};
  return true;
}

int failed(const Error& error) {
  if (error.code == 0)
    fmt::print(stderr, "{}", error.detail);
  else
    fmt::print(stderr, "holdfastd: {}\n", error.message());
  return error.code == 0 ? kExitUsage : kExitFailed;
}

// The files in effect, indexed by name.
using Files = std::map<std::string, policy::Source>;

Result<Files> files_of(const PolicyDirs& dirs) {
  HF_TRY_ASSIGN(const auto paths, policy_files(dirs));
  Files files;
  for (const std::string& path : paths) {
    HF_TRY_ASSIGN(auto source, policy::read_source(path));
    files.emplace(fs::path(path).filename().string(), std::move(source));
  }
  return files;
}

// Are these files a policy that holdfastd would accept? Prints the diagnostics if not.
Result<void> check_files(const Files& files, const Options& options) {
  std::vector<policy::Source> sources;
  sources.reserve(files.size());
  for (const auto& [name, source] : files) sources.push_back(source);
  HF_TRY_ASSIGN(const auto loaded, compile_sources(std::move(sources)));
  if (options.unenforced == Unenforced::allow) return {};
  std::string text;
  for (const UnenforcedRule& rule : unenforced_rules(*loaded.compiled))
    text +=
        fmt::format("{}: error: not enforced: {} ({})\n", rule.where.place(), rule.text, rule.why);
  return text.empty() ? Result<void>() : Error{0, "check", {}, std::move(text)};
}

// Only for a better message. The guard in the kernel refuses the change in any case, even if the
// options name other pins.
Result<void> refuse_when_sealed(const Options& options) {
  HF_TRY_ASSIGN(const auto seal, backend::Seal::open(options.pin_dir));
  if (seal && seal->is_on())
    return Error{EPERM, "change the policy", "", "it is sealed: holdfastd --unseal"};
  return {};
}

bool is_at_or_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

}  // namespace

std::vector<backend::GuardedDirectory> guarded_directories(const Options& options) {
  using Of = backend::GuardedDirectory::Of;
  std::vector<backend::GuardedDirectory> directories;
  for (const std::string& path : options.dirs.paths)
    directories.push_back({absolute(path), Of::policy});
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
  HF_TRY_ASSIGN(const auto files, policy_files(options.dirs));
  for (const std::string& file : files)
    if (fs::is_symlink(fs::symlink_status(file, failed))) return through_a_link(file);
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
  if (auto free = refuse_when_sealed(options); !free) return failed(free.error());
  // The lock keeps holdfastd from reading only some of the files, and other processes from
  // installing at the same time. Either could make a policy live that was not checked.
  const auto lock = kernel::lock_file(install_lock(options), kernel::Lock::exclusive);
  if (!lock) return failed(lock.error());
  auto all = files_of(options.dirs);
  if (!all) return failed(all.error());
  const std::string directory = options.dirs.paths.back();
  std::vector<policy::Source> added;
  for (const std::string& file : files) {
    auto source = policy::read_source(file);
    if (!source) return failed(source.error());
    const std::string name = fs::path(file).filename().string();
    if (!name.ends_with(".toml") || name.starts_with('.'))
      return failed(
          Error{EINVAL, "install", file, "the name of a policy file has to end in .toml"});
    source->name = directory + "/" + name;
    added.push_back(*source);
    (*all)[name] = *std::move(source);
  }
  if (auto good = check_files(*all, options); !good) return failed(good.error());
  if (auto made = kernel::make_directories(directory); !made) return failed(made.error());
  std::vector<kernel::NewFile> written;
  written.reserve(added.size());
  for (const policy::Source& source : added) written.push_back({source.name, source.text});
  if (auto done = kernel::replace_files(written, kPolicyMode); !done) return failed(done.error());
  return kExitOk;
}

int remove_policy(const Options& options, const std::string& name) {
  if (auto free = refuse_when_sealed(options); !free) return failed(free.error());
  const auto lock = kernel::lock_file(install_lock(options), kernel::Lock::exclusive);
  if (!lock) return failed(lock.error());
  const std::string path = options.dirs.paths.back() + "/" + name;
  auto left = files_of(options.dirs);
  if (!left) return failed(left.error());
  const auto found = left->find(name);
  if (found == left->end() || found->second.name != path)
    return failed(Error{ENOENT, "remove", path, ""});
  left->erase(found);
  // A file of the same name in an earlier directory is in effect again.
  PolicyDirs before = options.dirs;
  before.paths.pop_back();
  if (const auto hidden = files_of(before); hidden && hidden->contains(name))
    left->insert(*hidden->find(name));
  if (auto good = check_files(*left, options); !good) return failed(good.error());
  std::error_code error;
  fs::remove(path, error);
  return error ? failed(Error{error.value(), "remove", path, ""}) : kExitOk;
}

}  // namespace holdfast::daemon
