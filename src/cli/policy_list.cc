// SPDX-License-Identifier: Apache-2.0
// `holdfast policy list`, `show` and `diff`: what is in force, and from which file each line comes.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/find_policy.h"
#include "cli/live_policy.h"
#include "policy/enum_names.h"
#include "policy/listing.h"
#include "policy/parse.h"
#include "policy/suggest.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::Source;
using policy::Statement;
using policy_dirs::PolicyFile;
using policy_dirs::PolicyUnit;
using policy_dirs::Use;

namespace fs = std::filesystem;

constexpr int kDeepestSlice = 8;  // directories below the root of the hierarchy

int complain(int status, std::string_view command, std::string_view text) {
  fmt::print(stderr, "holdfast policy {}: {}\n", command, text);
  return status;
}

// A file with what has become of it.
struct Listed {
  std::string unit;
  std::string path;
  bool drop_in = false;
  std::string state;
  std::string why;
  std::vector<std::string> profiles;
};

std::vector<std::string> profiles_in(const Source& source) {
  std::vector<std::string> names;
  for (const policy::Profile& profile :
       policy::parse({{source.name, source.text, false}}).model.profiles)
    names.push_back(profile.name);
  return names;
}

// Is the text of the file in force?
bool is_live(const std::optional<LivePolicy>& live, const PolicyFile& file) {
  return live && std::ranges::any_of(live->text.sources, [&](const Source& source) {
           return source.name == file.path && source.text == file.text &&
                  source.drop_in == file.drop_in;
         });
}

std::string state_of(const PolicyFile& file, const std::optional<LivePolicy>& live,
                     const FileFault* fault) {
  if (fault != nullptr) return fault->fate;
  if (file.use != Use::used) return std::string(to_string(file.use));
  if (!live) return "used";
  return is_live(live, file) ? "in force" : "changed";
}

std::vector<Listed> listed(const std::vector<PolicyUnit>& units,
                           const std::optional<LivePolicy>& live) {
  std::vector<Listed> all;
  for (const PolicyUnit& unit : units)
    for (const PolicyFile& file : unit.files) {
      const FileFault* fault = nullptr;
      if (live)
        for (const FileFault& one : live->faults)
          if (one.path == file.path) fault = &one;
      Listed one{unit.name, file.path, file.drop_in, state_of(file, live, fault), file.why, {}};
      if (file.use == Use::used) one.profiles = profiles_in({file.path, file.text, false});
      all.push_back(std::move(one));
    }
  if (!live) return all;
  // What is in force of files that are gone.
  for (const Source& source : live->text.sources)
    if (std::ranges::find(all, source.name, &Listed::path) == all.end())
      all.push_back({"", source.name, source.drop_in, "removed", "", profiles_in(source)});
  return all;
}

bool exists(const std::string& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

// Units that are not in the cgroup that their name stands for, because of Slice=. A profile holds
// none of their tasks.
std::vector<std::string> misplaced_units(const std::vector<Source>& sources) {
  const std::string root = "/sys/fs/cgroup";
  std::map<std::string, std::string> expected;  // by the last part of the cgroup's path
  const policy::ParseResult parsed = policy::parse(sources);
  for (const policy::Profile& profile : parsed.model.profiles)
    for (const auto& unit : profile.units)
      if (unit.value.find('*') == std::string::npos && !exists(root + unit.value))
        expected[unit.value.substr(unit.value.rfind('/') + 1)] = unit.value;
  std::vector<std::string> notes;
  if (expected.empty()) return notes;
  std::error_code failed;
  fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, failed);
  for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    std::error_code ignored;
    if (!at->is_directory(ignored)) continue;
    if (at.depth() >= kDeepestSlice) at.disable_recursion_pending();
    const auto found = expected.find(at->path().filename().string());
    if (found == expected.end()) continue;
    notes.push_back(fmt::format(
        "{} is in {}, not in {}: write SLICE/UNIT for a unit with Slice=", escape(found->first),
        escape(at->path().string().substr(root.size())), escape(found->second)));
  }
  return notes;
}

bool is_bad(const Listed& file) {
  return file.state == "refused" || file.state == "not-live" || file.state == "earlier-text" ||
         file.state == "left-out";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += fmt::format("{}{}", text.empty() ? "" : " ", escape(word));
  return text;
}

void print_list(const std::vector<Listed>& files, const std::optional<LivePolicy>& live,
                const std::string& why) {
  if (!live)
    fmt::print("{}: these are the files as they are\n", why);
  else
    fmt::print("policy generation {} is in force{}\n", live->generation,
               live->by_daemon ? "" : ", left by a holdfastd that does not run");
  for (const Listed& file : files) {
    fmt::print("{:<13} {}{}", file.state, file.drop_in ? "  + " : "", escape(file.path));
    if (!file.profiles.empty()) fmt::print("  [{}]", joined(file.profiles));
    if (!file.why.empty()) fmt::print("  ({})", escape(file.why));
    fmt::print("\n");
  }
  if (!live) return;
  for (const auto& [profile, mode] : live->text.modes)
    fmt::print("mode {} of profile {} was set by hand and lasts until: holdfast mode {} policy\n",
               policy::name_of(policy::kModeNames, mode), escape(profile), escape(profile));
}

Json list_json(const std::vector<Listed>& files, const std::optional<LivePolicy>& live) {
  Json json = {{"generation", live ? Json(live->generation) : Json()},
               {"daemon", live && live->by_daemon},
               {"files", Json::array()},
               {"modes", Json::object()}};
  for (const Listed& file : files)
    json["files"].push_back({{"path", file.path},
                             {"drop_in", file.drop_in},
                             {"state", file.state},
                             {"why", file.why},
                             {"profiles", file.profiles}});
  if (live)
    for (const auto& [profile, mode] : live->text.modes)
      json["modes"][profile] = policy::name_of(policy::kModeNames, mode);
  return json;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What `show` and `diff` compare: a policy with its origin.
struct Shown {
  std::vector<Source> sources;
  std::map<std::string, std::uint8_t> modes;
  std::string origin;  // "policy generation 7"
};

// The policy in force, or the files where nothing is known to be in force. Empty: an error was
// printed.
std::optional<Shown> shown(const PolicyOptions& options, std::string_view command) {
  std::string why;
  if (!options.files) {
    auto live = live_policy(options.socket, why);
    if (live)
      return Shown{std::move(live->text.sources), std::move(live->text.modes),
                   fmt::format("policy generation {}, in force", live->generation)};
  }
  auto sources = machine_sources(policy_dirs_of(options.dirs));
  if (!sources) return complain(0, command, sources.error().message()), std::nullopt;
  return Shown{*std::move(sources), {}, options.files ? "the files" : why + ": the files"};
}

// Empty: the text has mistakes, which were printed.
std::optional<policy::Model> model_of(const std::vector<Source>& sources) {
  policy::ParseResult parsed = policy::parse(sources);
  for (const policy::Diagnostic& diagnostic : parsed.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!parsed.diagnostics.empty()) return std::nullopt;
  return std::move(parsed.model);
}

bool names_file(const std::string& path, const std::string& name) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return path == name || file == name || file == fmt::format("{}.toml", name);
}

// A line of a file. Tabs and backslashes stay as they are.
std::string shown_line(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find_first_of("\t\\"), line.size());
    text += escape(line.substr(0, end));
    if (end < line.size()) text += line[end];
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return text;
}

void print_texts(const Shown& policy, const std::string& name) {
  bool unit = false;
  for (const Source& source : policy.sources) {
    if (!source.drop_in) unit = name.empty() || names_file(source.name, name);
    if (!unit && !names_file(source.name, name)) continue;
    fmt::print("# {}\n", escape(source.name));
    std::size_t at = 0;
    while (at < source.text.size()) {
      const std::size_t end = std::min(source.text.find('\n', at), source.text.size());
      fmt::print("{}\n", shown_line(source.text.substr(at, end - at)));
      at = end + 1;
    }
    fmt::print("\n");
  }
}

void print_statements(const std::vector<Statement>& statements, const Shown& policy) {
  fmt::print("# {}\n", policy.origin);
  std::string profile;
  for (const Statement& one : statements) {
    if (one.profile != profile) {
      fmt::print("\n[profile.{}]\n", one.profile);
      if (const auto set = policy.modes.find(one.profile); set != policy.modes.end())
        fmt::print("mode = \"{}\"  # set by hand: holdfast mode\n",
                   policy::name_of(policy::kModeNames, set->second));
      profile = one.profile;
    }
    const bool overridden = one.key == "mode" && policy.modes.contains(one.profile);
    if (one.key.empty())
      fmt::print("# {}\n", escape(one.where.place()));
    else
      fmt::print("{}{} = {}  # {}\n", overridden ? "# overridden: " : "", one.key, escape(one.text),
                 escape(one.where.place()));
  }
}

Json statement_json(const Statement& one) {
  return {{"profile", one.profile}, {"key", one.key},         {"value", one.text},
          {"file", one.where.file}, {"line", one.where.line}, {"column", one.where.column}};
}

using ByKey = std::map<std::pair<std::string, std::string>, Statement>;

ByKey by_key(const policy::Model& model) {
  ByKey found;
  for (Statement& one : policy::statements_of(model)) {
    auto key = std::pair(one.profile, one.key);
    found.emplace(std::move(key), std::move(one));
  }
  return found;
}

struct Difference {
  std::optional<Statement> was;
  std::optional<Statement> now;
};

std::vector<Difference> differences(const policy::Model& was, const policy::Model& now) {
  const ByKey before = by_key(was);
  const ByKey after = by_key(now);
  std::vector<Difference> found;
  for (const auto& [key, one] : before) {
    const auto other = after.find(key);
    if (other == after.end())
      found.push_back({one, std::nullopt});
    else if (other->second.text != one.text)
      found.push_back({one, other->second});
  }
  for (const auto& [key, one] : after)
    if (!before.contains(key)) found.push_back({std::nullopt, one});
  return found;
}

void print_difference(const Difference& difference) {
  const auto line = [](char sign, const Statement& one) {
    fmt::print("{} [profile.{}] {}{}{}  # {}\n", sign, one.profile, one.key,
               one.key.empty() ? "" : " = ", escape(one.text), escape(one.where.place()));
  };
  if (difference.was) line('-', *difference.was);
  if (difference.now) line('+', *difference.now);
}

}  // namespace

int policy_list(const PolicyOptions& options) {
  std::string why;
  const auto live = options.files ? std::nullopt : live_policy(options.socket, why);
  const auto units = policy_dirs::read_units(directories_for(options.dirs, live));
  if (!units) return complain(kExitFailed, "list", units.error().message());
  if (options.files) why = "holdfastd was not asked";
  const std::vector<Listed> files = listed(*units, live);
  if (options.format == "json")
    fmt::print("{}\n", dumped(list_json(files, live)));
  else
    print_list(files, live, why);
  for (const std::string& note : misplaced_units(policy_dirs::sources_of(*units)))
    fmt::print(stderr, "holdfast policy list: warning: {}\n", note);
  if (live && options.format != "json")
    for (const FileFault& fault : live->faults) fmt::print(stderr, "{}", fault.mistakes);
  return std::ranges::any_of(files, is_bad) ? kExitFailed : kExitOk;
}

int policy_show(const PolicyOptions& options) {
  const auto policy = shown(options, "show");
  if (!policy) return kExitFailed;
  if (options.text) {
    print_texts(*policy, options.name);
    return kExitOk;
  }
  const auto model = model_of(policy->sources);
  if (!model) return kExitUsage;
  std::vector<Statement> statements = policy::statements_of(*model);
  if (!options.name.empty()) {
    std::vector<std::string_view> names;
    for (const policy::Profile& profile : model->profiles) names.push_back(profile.name);
    const std::string similar = policy::suggest(options.name, names);
    std::erase_if(statements, [&](const Statement& one) {
      return one.profile != options.name && !names_file(one.where.file, options.name);
    });
    if (statements.empty())
      return complain(kExitFailed, "show",
                      fmt::format("{} has no profile and no file '{}'{}{}", policy->origin,
                                  options.name, similar.empty() ? "" : "; ", similar));
  }
  if (options.format != "json") {
    print_statements(statements, *policy);
    return kExitOk;
  }
  Json json = {{"of", policy->origin}, {"statements", Json::array()}, {"modes", Json::object()}};
  for (const Statement& one : statements) json["statements"].push_back(statement_json(one));
  for (const auto& [profile, mode] : policy->modes)
    json["modes"][profile] = policy::name_of(policy::kModeNames, mode);
  fmt::print("{}\n", dumped(json));
  return kExitOk;
}

int policy_diff(const PolicyOptions& options) {
  std::string why;
  auto live = live_policy(options.socket, why);
  policy_dirs::PolicyDirs dirs = directories_for(options.dirs, live);
  auto now = machine_sources(dirs);
  if (!now) return complain(kExitFailed, "diff", now.error().message());
  std::vector<Source> was;
  std::string of;
  if (options.vendor) {
    dirs.paths.pop_back();
    auto vendor = machine_sources(dirs);
    if (!vendor) return complain(kExitFailed, "diff", vendor.error().message());
    was = *std::move(vendor);
    of = "the files of all directories but the last";
  } else {
    if (!live)
      return complain(kExitFailed, "diff",
                      why + "; --vendor compares the files with those of the vendors");
    was = std::move(live->text.sources);
    of = fmt::format("policy generation {}", live->generation);
  }
  const auto before = model_of(was);
  const auto after = model_of(*now);
  if (!before || !after) return kExitUsage;
  const std::vector<Difference> found = differences(*before, *after);
  if (options.format == "json") {
    Json json = {{"of", of}, {"differences", Json::array()}};
    for (const Difference& one : found)
      json["differences"].push_back({{"was", one.was ? statement_json(*one.was) : Json()},
                                     {"now", one.now ? statement_json(*one.now) : Json()}});
    fmt::print("{}\n", dumped(json));
  } else if (found.empty()) {
    fmt::print("the files state what {} states\n", of);
  } else {
    fmt::print("--- {}\n+++ the files\n", of);
    for (const Difference& one : found) print_difference(one);
  }
  return found.empty() ? kExitOk : kExitFailed;
}

}  // namespace holdfast::cli
