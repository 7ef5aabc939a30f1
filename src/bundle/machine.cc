// SPDX-License-Identifier: Apache-2.0
#include "bundle/machine.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "kernel/files/atomic_file.h"
#include "kernel/files/plain_file.h"
#include "policy/load.h"

namespace holdfast::bundle {
namespace {

namespace fs = std::filesystem;

using policy_dirs::Plan;
using policy_dirs::PlannedFile;

constexpr unsigned kPolicyMode = 0644;
constexpr std::size_t kMaxRecord = 64u << 20;  // bytes
constexpr char kPrepared[] = ".new";

std::string path_in(const Machine& machine, const std::string& file) {
  return machine.dirs.paths.back() + "/" + file;
}

Result<void> write_record(const Machine& machine, const Record& record) {
  return kernel::replace_file(record_path(machine.state_dir), record_json(record));
}

// The text of a regular file. Empty: there is nothing of that name. Errors: EEXIST it is a link;
// those of reading.
Result<std::optional<std::string>> text_at(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::path(path).parent_path();
  if (fs::is_symlink(fs::symlink_status(directory, error)) && directory.extension() == ".d")
    return Error{EEXIST, "bundle", directory.string(), "a symbolic link"};
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return std::optional<std::string>();
  if (type == fs::file_type::symlink) return Error{EEXIST, "bundle", path, "a symbolic link"};
  HF_TRY_ASSIGN(auto text, kernel::read_plain_file(path, kMaxBundleBytes));
  return std::optional<std::string>(std::move(text));
}

Result<bool> has_digest(const std::string& path, const std::string& digest) {
  HF_TRY_ASSIGN(const auto text, text_at(path));
  if (!text) return false;
  HF_TRY_ASSIGN(const auto found, sha256(*text));
  return found == digest;
}

// The files that a change writes, and those that it removes.
struct Change {
  std::map<std::string, std::string> write;  // by File::path
  std::set<std::string> remove;
};

Plan plan_for(const Machine& machine, const Change& change) {
  Plan plan;
  for (const auto& [path, text] : change.write)
    plan[path_in(machine, path)] = {PlannedFile::Kind::text, text};
  for (const std::string& path : change.remove)
    plan[path_in(machine, path)] = {PlannedFile::Kind::absent, ""};
  return plan;
}

Change change_to(const Verified& bundle, const Record& record) {
  Change change;
  for (const File& file : bundle.contents.files) change.write[file.path] = file.text;
  if (record.current)
    for (const Applied& file : record.current->files)
      if (!change.write.contains(file.path)) change.remove.insert(file.path);
  return change;
}

// Steps 3 and 4.
Result<void> complete(const Machine& machine, Record record) {
  for (const Applied& file : record.to_rename) {
    const std::string path = path_in(machine, file.path);
    HF_TRY_ASSIGN(const auto prepared, has_digest(path + kPrepared, file.sha256));
    if (prepared) {
      HF_TRY(kernel::rename_file(path));
      continue;
    }
    HF_TRY_ASSIGN(const auto there, has_digest(path, file.sha256));
    if (!there)
      return Error{EIO, "apply bundle", path, "the new file is gone: apply the bundle again"};
  }
  for (const std::string& file : record.to_remove) {
    HF_TRY(kernel::remove_file(path_in(machine, file)));
    std::error_code ignored;  // a directory of drop-ins that is not empty stays
    if (file.find('/') != std::string::npos)
      fs::remove(fs::path(path_in(machine, file)).parent_path(), ignored);
  }
  record.to_rename.clear();
  record.to_remove.clear();
  return write_record(machine, record);
}

// Steps 1 to 4. `record` is the one after the change.
Result<void> carry_out(const Machine& machine, const Change& change, Record record) {
  std::vector<kernel::NewFile> files;
  for (const auto& [path, text] : change.write) {
    HF_TRY_ASSIGN(auto digest, sha256(text));
    record.to_rename.push_back({path, std::move(digest)});
    files.push_back({path_in(machine, path), text});
    HF_TRY(kernel::make_directories(fs::path(files.back().path).parent_path().string()));
  }
  record.to_remove.assign(change.remove.begin(), change.remove.end());
  HF_TRY(kernel::prepare_files(files, kPolicyMode));
  if (auto written = write_record(machine, record); !written) {
    for (const kernel::NewFile& file : files) kernel::discard_prepared(file.path);
    return written;
  }
  return complete(machine, std::move(record));
}

// What is in the place of the files that change, or an error about one that must not be replaced.
Result<std::vector<Record::Before>> look_before(const Machine& machine, const Change& change,
                                                const Record& record, Foreign foreign) {
  std::map<std::string, std::string> known;
  if (record.current)
    for (const Applied& file : record.current->files) known[file.path] = file.sha256;
  std::set<std::string> touched = change.remove;
  for (const auto& [path, text] : change.write) touched.insert(path);
  std::vector<Record::Before> before;
  for (const std::string& path : touched) {
    HF_TRY_ASSIGN(auto text, text_at(path_in(machine, path)));
    if (text && foreign == Foreign::refuse) {
      HF_TRY_ASSIGN(const auto digest, sha256(*text));
      const auto at = known.find(path);
      const auto wanted = change.write.find(path);
      const bool is_wanted = wanted != change.write.end() && wanted->second == *text;
      if (at == known.end() && !is_wanted)
        return Error{EEXIST, "apply bundle", path_in(machine, path),
                     "it is a file of this machine, of no bundle (--replace replaces it)"};
      if (at != known.end() && at->second != digest && !is_wanted)
        return Error{EEXIST, "apply bundle", path_in(machine, path),
                     "it was changed since the last bundle (--replace replaces it)"};
    }
    before.push_back({path, std::move(text)});
  }
  return before;
}

// Of the policy after the plan.
Result<std::string> policy_digest(const Machine& machine, const Plan& plan) {
  HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(machine.dirs, plan));
  return policy::digest_text(policy::text_digest(policy_dirs::sources_of(units)));
}

Result<Fd> lock(const Machine& machine) {
  return kernel::lock_file(lock_path(machine.state_dir), kernel::Lock::exclusive);
}

// The record, after an application that was not ended has been.
Result<Record> settled(const Machine& machine) {
  HF_TRY_ASSIGN(auto record, read_record(machine.state_dir));
  if (record.to_rename.empty() && record.to_remove.empty()) return record;
  HF_TRY(complete(machine, record));
  return read_record(machine.state_dir);
}

Result<void> check_order(const Verified& bundle, const Record& record, Order order) {
  const Name& name = bundle.contents.name;
  const auto applied = record.current ? Name::parse(record.current->name) : std::nullopt;
  if (applied && *applied == name && record.current->digest != bundle.digest)
    return Error{EEXIST, "apply bundle", name.text(),
                 "another bundle of this name is applied: a name is used once"};
  if (order == Order::any) return {};
  const auto newest = Name::parse(record.newest);
  if (newest && name < *newest)
    return Error{
        ESTALE, "apply bundle", name.text(),
        fmt::format("{} was applied before, and is later (--older goes back)", record.newest)};
  return {};
}

}  // namespace

std::string record_path(const std::string& state_dir) { return state_dir + "/bundle.json"; }
std::string lock_path(const std::string& state_dir) { return state_dir + "/install.lock"; }

Result<Record> read_record(const std::string& state_dir) {
  const std::string path = record_path(state_dir);
  const auto text = kernel::read_plain_file(path, kMaxRecord);
  if (!text && text.error().code == ENOENT) return Record();
  if (!text) return text.error();
  auto record = record_from_json(*text);
  if (!record) return Error{EBADMSG, "read", path, "the record of bundles is damaged"};
  return *std::move(record);
}

std::string policy_name(const Record& record, std::string_view digest) {
  for (const auto* bundle : {&record.current, &record.previous})
    if (*bundle && (*bundle)->policy == digest) return (*bundle)->name;
  return "";
}

std::vector<std::string> changed_files(const Current& current, const std::string& directory) {
  std::vector<std::string> changed;
  for (const Applied& file : current.files) {
    const auto same = has_digest(directory + "/" + file.path, file.sha256);
    if (!same || !*same) changed.push_back(file.path);
  }
  return changed;
}

Result<void> check_language(const policy_dirs::PolicyDirs& dirs, const Plan& plan) {
  HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(dirs, plan));
  auto mistakes = policy_dirs::refusals(units);
  std::ranges::move(policy::load(policy_dirs::sources_of(units)).diagnostics,
                    std::back_inserter(mistakes));
  if (mistakes.empty()) return {};
  std::string text;
  for (const policy::Diagnostic& mistake : mistakes) text += policy::render(mistake);
  return Error{0, "check", "", std::move(text)};
}

Result<Plan> plan_of(const Machine& machine, const Verified& bundle) {
  HF_TRY_ASSIGN(const auto record, read_record(machine.state_dir));
  return plan_for(machine, change_to(bundle, record));
}

Result<bool> apply(const Machine& machine, const Verified& bundle, const Conditions& conditions,
                   const Check& check) {
  HF_TRY_ASSIGN(const auto locked, lock(machine));
  HF_TRY_ASSIGN(auto record, settled(machine));
  if (conditions.ring && *conditions.ring > bundle.contents.ring)
    return Error{EXDEV, "apply bundle", bundle.contents.name.text(),
                 fmt::format("it is for the first {} % of the machines, and this one has number {}",
                             bundle.contents.ring, *conditions.ring)};
  HF_TRY(check_order(bundle, record, conditions.order));
  const Change change = change_to(bundle, record);
  HF_TRY_ASSIGN(const auto policy, policy_digest(machine, plan_for(machine, change)));
  const bool is_current = record.current && record.current->digest == bundle.digest;
  if (is_current && changed_files(*record.current, machine.dirs.paths.back()).empty()) {
    if (record.current->policy == policy) return false;
    record.current->policy = policy;  // another file of the machine has changed
    HF_TRY(write_record(machine, record));
    return false;
  }
  HF_TRY_ASSIGN(auto before, look_before(machine, change, record, conditions.foreign));
  HF_TRY(check(plan_for(machine, change)));
  Record next;
  next.current = Current{
      bundle.contents.name.text(), bundle.digest, bundle.key, bundle.contents.checks, {}, policy};
  for (const File& file : bundle.contents.files) {
    HF_TRY_ASSIGN(auto digest, sha256(file.text));
    next.current->files.push_back({file.path, std::move(digest)});
  }
  next.previous = record.current;
  next.before = std::move(before);
  next.can_revert = true;
  const auto newest = Name::parse(record.newest);
  next.newest =
      newest && bundle.contents.name < *newest ? record.newest : bundle.contents.name.text();
  HF_TRY(carry_out(machine, change, std::move(next)));
  return true;
}

Result<void> revert(const Machine& machine, const Check& check) {
  HF_TRY_ASSIGN(const auto locked, lock(machine));
  HF_TRY_ASSIGN(const auto record, settled(machine));
  if (!record.can_revert)
    return Error{ENOENT, "revert bundle", "", "no bundle was applied, or it was reverted already"};
  Change change;
  for (const Record::Before& file : record.before) {
    if (file.text)
      change.write[file.path] = *file.text;
    else
      change.remove.insert(file.path);
  }
  HF_TRY(check(plan_for(machine, change)));
  Record next;
  next.current = record.previous;
  next.newest = record.newest;
  return carry_out(machine, change, std::move(next));
}

Result<bool> finish(const Machine& machine) {
  HF_TRY_ASSIGN(const auto before, read_record(machine.state_dir));
  if (before.to_rename.empty() && before.to_remove.empty()) return false;
  HF_TRY_ASSIGN(const auto locked, lock(machine));
  HF_TRY_ASSIGN(std::ignore, settled(machine));
  return true;
}

}  // namespace holdfast::bundle
