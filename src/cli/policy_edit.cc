// SPDX-License-Identifier: Apache-2.0
// `holdfast policy edit`, `enable` and `disable`: change the files of the machine's policy. Each
// change is checked with all other files before anything is written.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <optional>
#include <system_error>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/find_policy.h"
#include "cli/live_policy.h"
#include "kernel/files/atomic_file.h"
#include "kernel/files/plain_file.h"
#include "kernel/process/editor.h"
#include "policy/document.h"
#include "policy/suggest.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

using policy_dirs::Plan;
using policy_dirs::PlannedFile;
using policy_dirs::PolicyDirs;
using policy_dirs::Use;

constexpr char kNull[] = "/dev/null";
constexpr unsigned kPolicyMode = 0644;

int complain(int status, std::string_view command, std::string_view text) {
  fmt::print(stderr, "holdfast policy {}: {}\n", command, text);
  return status;
}

int failed(std::string_view command, const Error& error) {
  const bool guarded = error.code == EPERM && geteuid() == 0;
  return complain(
      kExitFailed, command,
      error.message() + (guarded ? "; where the policy's files are protected: holdfastd "
                                   "--install-policy FILE, or --remove-policy NAME.toml"
                                 : ""));
}

Result<void> done(const std::error_code& error, std::string_view what, const std::string& path) {
  if (!error) return {};
  return Error{error.value(), std::string(what), path, ""};
}

// "web" for "web.toml".
std::string plain_name(std::string name) {
  constexpr std::string_view kEnding = ".toml";
  if (name.ends_with(kEnding)) name.resize(name.size() - kEnding.size());
  return name;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && !name.starts_with('.');
}

// The mistakes of all files after the plan, as text. "": there are none.
Result<std::string> mistakes_after(const PolicyDirs& dirs, const Plan& plan) {
  HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(dirs, plan));
  auto mistakes = policy_dirs::refusals(units);
  for (policy::Diagnostic& mistake : policy::load(policy_dirs::sources_of(units)).diagnostics)
    mistakes.push_back(std::move(mistake));
  std::string text;
  for (const policy::Diagnostic& mistake : mistakes) text += policy::render(mistake);
  return text;
}

// Would the files be a policy after the plan? Prints what is wrong, and returns the exit code.
int checked(std::string_view command, const PolicyDirs& dirs, const Plan& plan) {
  const auto mistakes = mistakes_after(dirs, plan);
  if (!mistakes) return failed(command, mistakes.error());
  if (mistakes->empty()) return kExitOk;
  fmt::print(stderr, "{}", *mistakes);
  return complain(kExitUsage, command, "nothing was changed");
}

void print_done(std::string_view what, const std::string& path) {
  fmt::print("{} {}\nholdfast status shows whether holdfastd has made it live.\n", what,
             escape(path));
}

PolicyDirs dirs_of(const PolicyOptions& options) {
  std::string why;
  return directories_for(options.dirs, live_policy(options.socket, why));
}

// The text of NAME.toml that is in effect. Empty: there is none.
std::optional<policy_dirs::PolicyFile> effective(const std::vector<policy_dirs::PolicyUnit>& units,
                                                 const std::string& name) {
  for (const policy_dirs::PolicyUnit& unit : units)
    if (unit.name == name + ".toml")
      for (const policy_dirs::PolicyFile& file : unit.files)
        if (!file.drop_in && file.use == Use::used) return file;
  return std::nullopt;
}

// What an edit writes to, and what it begins with.
struct Edit {
  std::string path;
  std::string before;
};

Edit edit_of(const PolicyOptions& options, const PolicyDirs& dirs,
             const std::vector<policy_dirs::PolicyUnit>& units, const std::string& name) {
  const auto file = effective(units, name);
  const std::string own = dirs.paths.back() + "/" + name + ".toml";
  if (!file)
    return {own, fmt::format("version = 1\n\n# [profile.{}]\n# unit = \"{}.service\"\n"
                             "# namespaces.enter = \"none\"\n",
                             name, name)};
  if (options.full || file->path == own) return {own, file->text};
  const std::string drop_in = own + ".d/override.toml";
  if (const auto text = kernel::read_plain_file(drop_in, policy::kMaxSourceBytes))
    return {drop_in, *text};
  return {drop_in,
          fmt::format("version = 1\n# Keys in this file override those of {}.\n", file->path)};
}

bool again() {
  if (isatty(STDIN_FILENO) != 1) return false;
  fmt::print(stderr, "Edit it again? [Y/n] ");
  std::string answer;
  return static_cast<bool>(std::getline(std::cin, answer)) && !answer.starts_with('n') &&
         !answer.starts_with('N');
}

// Edits the temporary file until it is a policy with all others. Returns its text; empty: an exit
// code was set.
std::optional<std::string> edited(const std::string& temporary, const Edit& edit,
                                  const PolicyDirs& dirs, int& status) {
  while (true) {
    const auto code = kernel::run_editor(temporary);
    if (!code) return status = failed("edit", code.error()), std::nullopt;
    auto text = kernel::read_plain_file(temporary, policy::kMaxSourceBytes);
    if (!text) return status = failed("edit", text.error()), std::nullopt;
    if (*code != 0 || *text == edit.before) {
      status = complain(*code == 0 ? kExitOk : kExitFailed, "edit", "nothing was changed");
      return std::nullopt;
    }
    status = checked("edit", dirs, {{edit.path, {PlannedFile::Kind::text, *text}}});
    if (status == kExitOk) return *std::move(text);
    if (!again()) return std::nullopt;
  }
}

}  // namespace

int policy_edit(const PolicyOptions& options) {
  const PolicyDirs dirs = dirs_of(options);
  const std::string name = plain_name(options.name);
  if (!is_name(name)) return complain(kExitUsage, "edit", "name a policy, not a path");
  const auto units = policy_dirs::read_units(dirs);
  if (!units) return failed("edit", units.error());
  const Edit edit = edit_of(options, dirs, *units, name);
  const std::string directory = edit.path.substr(0, edit.path.rfind('/'));
  std::error_code ignored;
  const bool is_new = !fs::exists(directory, ignored);
  if (auto made = kernel::make_directories(directory); !made) return failed("edit", made.error());
  const std::string temporary = fmt::format("{}/.{}.edit", directory, getpid());
  int status = kExitFailed;
  const auto begun = kernel::replace_file(temporary, edit.before);
  if (!begun) status = failed("edit", begun.error());
  const auto text = begun ? edited(temporary, edit, dirs, status) : std::nullopt;
  fs::remove(temporary, ignored);
  if (!text) {
    if (is_new) fs::remove(directory, ignored);
    return status;
  }
  if (auto written = kernel::replace_file(edit.path, *text, kPolicyMode); !written)
    return failed("edit", written.error());
  print_done("wrote", edit.path);
  return kExitOk;
}

int policy_enable(const PolicyOptions& options) {
  const PolicyDirs dirs = dirs_of(options);
  const std::string name = plain_name(options.name);
  if (!is_name(name)) return complain(kExitUsage, "enable", "name a policy, not a path");
  const std::string link = dirs.paths.back() + "/" + name + ".toml";
  const std::string profile = options.profiles + "/" + name + ".toml";
  std::error_code error;
  if (kernel::is_null_link(link)) {
    if (const int status = checked("enable", dirs, {{link, {PlannedFile::Kind::absent, ""}}});
        status != kExitOk)
      return status;
    fs::remove(link, error);
    if (auto removed = done(error, "remove", link); !removed)
      return failed("enable", removed.error());
    print_done("removed the mask", link);
    return kExitOk;
  }
  const auto units = policy_dirs::read_units(dirs);
  if (!units) return failed("enable", units.error());
  if (const auto file = effective(*units, name)) {
    fmt::print("{} is enabled: {}\n", escape(name), escape(file->path));
    return kExitOk;
  }
  const auto text = kernel::read_plain_file(profile, policy::kMaxSourceBytes);
  if (!text && text.error().code == ENOENT) {
    std::vector<std::string> known;
    for (fs::directory_iterator at(options.profiles, error);
         !error && at != fs::directory_iterator(); at.increment(error))
      known.push_back(plain_name(at->path().filename().string()));
    const std::string similar = policy::suggest(name, {known.begin(), known.end()});
    return complain(kExitFailed, "enable",
                    fmt::format("there is no profile '{}' in {}{}{}", escape(name),
                                options.profiles, similar.empty() ? "" : "; ", similar));
  }
  if (!text) return failed("enable", text.error());
  if (const int status = checked("enable", dirs, {{link, {PlannedFile::Kind::text, *text}}});
      status != kExitOk)
    return status;
  if (auto made = kernel::make_directories(dirs.paths.back()); !made)
    return failed("enable", made.error());
  fs::create_symlink(profile, link, error);
  if (auto linked = done(error, "link", link); !linked) return failed("enable", linked.error());
  print_done("linked", link);
  return kExitOk;
}

int policy_disable(const PolicyOptions& options) {
  const PolicyDirs dirs = dirs_of(options);
  const std::string name = plain_name(options.name);
  if (!is_name(name)) return complain(kExitUsage, "disable", "name a policy, not a path");
  const std::string path = dirs.paths.back() + "/" + name + ".toml";
  std::error_code error;
  if (kernel::is_null_link(path)) {
    fmt::print("{} is disabled: {} masks it\n", escape(name), escape(path));
    return kExitOk;
  }
  const fs::file_status own = fs::symlink_status(path, error);
  const bool is_link = fs::is_symlink(own);
  if (fs::exists(own) && !is_link)
    return complain(kExitFailed, "disable",
                    fmt::format("{} is a file of this machine, not a link: remove it, or give it "
                                "a name that does not end in .toml",
                                escape(path)));
  const auto units = policy_dirs::read_units(dirs);
  if (!units) return failed("disable", units.error());
  if (!is_link && !effective(*units, name))
    return complain(kExitFailed, "disable", fmt::format("there is no policy '{}'", escape(name)));
  const auto kind = is_link ? PlannedFile::Kind::absent : PlannedFile::Kind::mask;
  if (const int status = checked("disable", dirs, {{path, {kind, ""}}}); status != kExitOk)
    return status;
  if (is_link) {
    fs::remove(path, error);
  } else {
    if (auto made = kernel::make_directories(dirs.paths.back()); !made)
      return failed("disable", made.error());
    fs::create_symlink(kNull, path, error);
  }
  if (auto changed = done(error, is_link ? "remove" : "link", path); !changed)
    return failed("disable", changed.error());
  print_done(is_link ? "removed" : "masked with", path);
  return kExitOk;
}

}  // namespace holdfast::cli
