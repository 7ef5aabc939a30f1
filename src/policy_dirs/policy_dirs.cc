// SPDX-License-Identifier: Apache-2.0
#include "policy_dirs/policy_dirs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "kernel/files/plain_file.h"
#include "policy/document.h"

namespace holdfast::policy_dirs {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPolicy = ".toml";
constexpr std::string_view kDropIns = ".toml.d";

// Editors make files whose names begin with a dot.
bool is_policy_name(std::string_view name) {
  return name.ends_with(kPolicy) && name.size() > kPolicy.size() && !name.starts_with('.');
}

bool is_drop_in_directory(std::string_view name) {
  return name.ends_with(kDropIns) && name.size() > kDropIns.size() && !name.starts_with('.');
}

// The names in a directory after the plan. Errors: of reading the directory.
Result<std::set<std::string>> names_in(const std::string& directory, const Plan& plan,
                                       Missing missing) {
  std::set<std::string> names;
  std::error_code failed;
  fs::directory_iterator entries(directory, failed);
  const bool absent = failed.value() == ENOENT && missing == Missing::is_empty;
  if (absent) failed.clear();
  for (; !absent && !failed && entries != fs::directory_iterator(); entries.increment(failed))
    names.insert(entries->path().filename().string());
  if (failed) return Error{failed.value(), "read policy directory", directory, {}};
  const std::string prefix = directory + "/";
  for (const auto& [path, planned] : plan) {
    if (!path.starts_with(prefix)) continue;
    const std::string rest = path.substr(prefix.size());
    const std::string name = rest.substr(0, rest.find('/'));
    if (planned.kind != PlannedFile::Kind::absent)
      names.insert(name);
    else if (name == rest)
      names.erase(name);
  }
  return names;
}

std::string refusal(const Error& error) {
  return error.detail.empty() ? error.message() : "it is " + error.detail;
}

class Reading {
 public:
  Reading(const PolicyDirs& dirs, const Plan& plan) : dirs_(dirs), plan_(plan) {}

  Result<std::vector<PolicyUnit>> read() {
    for (const std::string& directory : dirs_.paths) HF_TRY(scan(directory));
    std::vector<PolicyUnit> units;
    for (const auto& [name, found] : units_) units.push_back(unit(name, found));
    return units;
  }

 private:
  // Paths in the order of the directories.
  struct Found {
    std::vector<std::string> mains;
    std::map<std::string, std::vector<std::string>> drop_ins;  // by name
    std::vector<PolicyFile> refused;                           // directories that cannot be read
  };

  Result<void> scan(const std::string& directory) {
    HF_TRY_ASSIGN(const auto names, names_in(directory, plan_, dirs_.missing));
    for (const std::string& name : names) {
      const std::string path = directory + "/" + name;
      if (is_policy_name(name)) units_[name].mains.push_back(path);
      if (is_drop_in_directory(name)) scan_drop_ins(name.substr(0, name.size() - 2), path);
    }
    return {};
  }

  void scan_drop_ins(const std::string& unit, const std::string& directory) {
    Found& found = units_[unit];
    const auto names = names_in(directory, plan_, Missing::is_empty);
    if (!names) {
      found.refused.push_back({directory, true, Use::refused, refusal(names.error()), ""});
      return;
    }
    for (const std::string& name : *names)
      if (is_policy_name(name)) found.drop_ins[name].push_back(directory + "/" + name);
  }

  // Why others could add files and links to the directory of `path`. "": they could not.
  std::string distrust(const std::string& path) {
    if (dirs_.trust == Trust::anybody) return "";
    const std::string directory = path.substr(0, path.rfind('/'));
    const auto [at, added] = distrusted_.try_emplace(directory);
    if (added) {
      const auto others = kernel::other_writers(directory, kernel::Sticky::counts);
      at->second = others ? *others : others.error().message();
    }
    return at->second;
  }

  // The file that is in effect at `path`.
  PolicyFile file(const std::string& path, bool drop_in) {
    PolicyFile read{path, drop_in, Use::used, "", ""};
    if (const auto planned = plan_.find(path); planned != plan_.end()) {
      if (planned->second.kind == PlannedFile::Kind::mask) read.use = Use::masked;
      read.text = planned->second.text;
      return read;
    }
    if (std::string why = distrust(path); !why.empty())
      return {path, drop_in, Use::refused, std::move(why), ""};
    if (kernel::is_null_link(path)) {
      read.use = Use::masked;
      return read;
    }
    auto text = kernel::read_plain_file(path, policy::kMaxSourceBytes);
    if (text && dirs_.trust == Trust::owner_only) {
      const auto others = kernel::other_writers(path);
      if (!others)
        text = others.error();
      else if (!others->empty())
        return {path, drop_in, Use::refused, *others, ""};
    }
    if (!text) return {path, drop_in, Use::refused, refusal(text.error()), ""};
    read.text = *std::move(text);
    return read;
  }

  PolicyUnit unit(const std::string& name, const Found& found) {
    PolicyUnit unit{name, {}};
    for (std::size_t i = 0; i < found.mains.size(); i++)
      unit.files.push_back(i + 1 == found.mains.size()
                               ? file(found.mains[i], false)
                               : PolicyFile{found.mains[i], false, Use::hidden, "", ""});
    const bool orphans = found.mains.empty() || unit.files.back().use == Use::masked;
    for (const auto& [drop_in, paths] : found.drop_ins)
      for (std::size_t i = 0; i < paths.size(); i++) {
        if (orphans || i + 1 < paths.size())
          unit.files.push_back({paths[i], true, orphans ? Use::orphan : Use::hidden, "", ""});
        else
          unit.files.push_back(file(paths[i], true));
      }
    if (!orphans) std::ranges::copy(found.refused, std::back_inserter(unit.files));
    return unit;
  }

  const PolicyDirs& dirs_;
  const Plan& plan_;
  std::map<std::string, Found> units_;
  std::map<std::string, std::string> distrusted_;  // by directory: the reason, or ""
};

}  // namespace

std::string_view to_string(Use use) {
  switch (use) {
    case Use::used:
      return "used";
    case Use::masked:
      return "masked";
    case Use::hidden:
      return "hidden";
    case Use::orphan:
      return "orphan";
    case Use::refused:
      break;
  }
  return "refused";
}

std::vector<policy::Source> PolicyUnit::sources() const {
  std::vector<policy::Source> sources;
  for (const PolicyFile& file : files) {
    if (file.use != Use::used) continue;
    if (file.drop_in && sources.empty()) break;
    sources.push_back({file.path, file.text, file.drop_in});
  }
  return sources;
}

Result<std::vector<PolicyUnit>> read_units(const PolicyDirs& dirs, const Plan& plan) {
  return Reading(dirs, plan).read();
}

std::vector<policy::Source> sources_of(const std::vector<PolicyUnit>& units) {
  std::vector<policy::Source> all;
  for (const PolicyUnit& unit : units) std::ranges::move(unit.sources(), std::back_inserter(all));
  return all;
}

std::vector<policy::Diagnostic> refusals(const std::vector<PolicyUnit>& units) {
  std::vector<policy::Diagnostic> found;
  for (const PolicyUnit& unit : units)
    for (const PolicyFile& file : unit.files)
      if (file.use == Use::refused) {
        policy::Diagnostic& refused = found.emplace_back();
        refused.where = {file.path, 1, 1, 0};
        refused.message = "refused: " + file.why;
      }
  return found;
}

std::vector<std::string> directories_of(const PolicyDirs& dirs) {
  std::vector<std::string> found;
  for (const std::string& directory : dirs.paths) {
    found.push_back(directory);
    std::error_code failed;
    for (fs::directory_iterator at(directory, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
      std::error_code ignored;
      if (is_drop_in_directory(at->path().filename().string()) && at->is_directory(ignored))
        found.push_back(at->path().string());
    }
  }
  return found;
}

}  // namespace holdfast::policy_dirs
