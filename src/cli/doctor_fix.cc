// SPDX-License-Identifier: Apache-2.0
// `holdfast doctor --fix`: changes the configuration of the machine so that holdfast can enforce, each
// change after a question.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/printable.h"
#include "cli/commands.h"
#include "kernel/files/atomic_file.h"
#include "kernel/files/text_file.h"
#include "kernel/process/shell.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kFileMode = 0644;

// A change of one file, and the command that makes it count.
struct Fix {
  std::string why;
  std::string path;      // without the root; empty: only the command
  std::string text;      // the new content of the file
  std::string command;   // empty: none
  bool restart = false;  // it counts after a restart of the machine
};

int complain(int status, std::string_view text) {
  fmt::print(stderr, "holdfast doctor: {}\n", text);
  return status;
}

// "": the file cannot be read.
std::string text_of(const std::string& path) {
  auto text = kernel::read_text_file(path);
  if (!text) return "";
  while (text->ends_with('\n')) text->pop_back();
  return *std::move(text);
}

bool has_word(std::string_view list, std::string_view word, char separator) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    if (one == word) return true;
  }
  return false;
}

// The security modules that are active, with bpf. The kernel always has `capability`, which lsm= does
// not name.
std::string wanted_modules(std::string active) {
  constexpr std::string_view kAlways = "capability,";
  if (active.starts_with(kAlways)) active.erase(0, kAlways.size());
  if (active == "capability") active.clear();
  return active + (active.empty() ? "bpf" : ",bpf");
}

std::optional<Fix> boot_fix(const std::string& root, const std::string& why,
                            const std::string& parameters) {
  std::error_code failed;
  const auto exists = [&](const char* path) { return fs::exists(root + path, failed); };
  if (exists("/etc/default/grub") && exists("/usr/sbin/update-grub"))
    return Fix{why, "/etc/default/grub.d/60-holdfast.cfg",
               fmt::format("# Written by holdfast doctor --fix.\n"
                           "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {}\"\n",
                           parameters),
               "update-grub", true};
  if (exists("/usr/sbin/grubby"))
    return Fix{why, "", "", fmt::format("grubby --update-kernel=ALL --args=\"{}\"", parameters),
               true};
  if (exists("/etc/kernel/cmdline"))
    return Fix{why, "/etc/kernel/cmdline",
               text_of(root + "/etc/kernel/cmdline") + " " + parameters + "\n",
               "kernel-install add \"$(uname -r)\" \"/boot/vmlinuz-$(uname -r)\"", true};
  return std::nullopt;
}

struct Plan {
  std::vector<Fix> fixes;
  std::vector<std::string> by_hand;  // what has to be done otherwise, a sentence each
};

void plan_boot(const std::string& root, Plan& plan) {
  const std::string modules = text_of(root + "/sys/kernel/security/lsm");
  const std::string line = text_of(root + "/proc/cmdline");
  std::string why;
  std::string parameters;
  if (modules.empty())
    plan.by_hand.emplace_back(
        "The active security modules cannot be read: mount securityfs at /sys/kernel/security.");
  else if (!has_word(modules, "bpf", ',')) {
    why = fmt::format("BPF is not among the active security modules ({}).", modules);
    parameters = "lsm=" + wanted_modules(modules);
  }
  std::error_code failed;
  if (fs::exists(root + "/sys/fs/cgroup/unified", failed)) {
    why += fmt::format("{}The cgroup hierarchy is a hybrid one.", why.empty() ? "" : " ");
    parameters +=
        fmt::format("{}systemd.unified_cgroup_hierarchy=1", parameters.empty() ? "" : " ");
  }
  if (has_word(line, "holdfast=off", ' '))
    plan.by_hand.emplace_back(
        "holdfast=off is on the kernel's command line: remove it there, and restart.");
  if (parameters.empty()) return;
  if (auto fix = boot_fix(root, why, parameters))
    plan.fixes.push_back(*std::move(fix));
  else
    plan.by_hand.push_back(
        fmt::format("{} No known boot loader was found: add {} to the kernel's command line.", why,
                    parameters));
}

struct Sysctl {
  const char* name;
  const char* path;
  const char* bad;
  const char* wanted;
  const char* why;
};

constexpr Sysctl kSysctls[] = {
    {"kernel.ftrace_enabled", "/proc/sys/kernel/ftrace_enabled", "0", "1",
     "kernel.ftrace_enabled is 0, so BPF programs are attached but not called."},
    {"user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", "0", "15000",
     "user.max_user_namespaces is 0, so holdfast run --unshare works for root only."},
    {"kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", "0", "1",
     "kernel.unprivileged_userns_clone is 0, so holdfast run --unshare works for root only."}};

void plan_sysctls(const std::string& root, Plan& plan) {
  for (const Sysctl& one : kSysctls) {
    if (text_of(root + one.path) != one.bad) continue;
    const std::string path =
        fmt::format("/etc/sysctl.d/60-holdfast-{}.conf",
                    std::string_view(one.name).substr(std::string_view(one.name).find('.') + 1));
    plan.fixes.push_back(
        {one.why, path,
         fmt::format("# Written by holdfast doctor --fix.\n{} = {}\n", one.name, one.wanted),
         fmt::format("sysctl -p {}", path), false});
  }
}

bool agreed(bool yes) {
  if (yes) return true;
  fmt::print("Do it? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  const bool read = static_cast<bool>(std::getline(std::cin, answer));
  if (!read) fmt::print("\n");
  return read && (answer == "y" || answer == "yes");
}

Result<void> apply(const Fix& fix, const std::string& root) {
  if (!fix.path.empty()) {
    HF_TRY(kernel::make_directories(fs::path(root + fix.path).parent_path().string()));
    HF_TRY(kernel::replace_file(root + fix.path, fix.text, kFileMode));
    fmt::print("wrote {}\n", escape(root + fix.path));
  }
  if (fix.command.empty()) return {};
  if (!root.empty()) {
    fmt::print("in that system, run: {}\n", fix.command);
    return {};
  }
  HF_TRY_ASSIGN(const int code, kernel::run_script(fix.command));
  if (code != 0) return Error{0, fix.command, "", fmt::format("it failed with status {}", code)};
  return {};
}

void show(const Fix& fix) {
  fmt::print("{}\n", fix.why);
  if (!fix.path.empty()) {
    fmt::print("  write  {}\n", escape(fix.path));
    for (std::string_view rest = fix.text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      fmt::print("           {}\n", escape(line));
    }
  }
  if (!fix.command.empty()) fmt::print("  run    {}\n", fix.command);
}

}  // namespace

int doctor_fix(const DoctorOptions& options) {
  Plan plan;
  plan_boot(options.root, plan);
  plan_sysctls(options.root, plan);
  for (const std::string& sentence : plan.by_hand) fmt::print("{}\n", escape(sentence));
  bool restart = false;
  bool failed = false;
  std::size_t left = plan.by_hand.size();
  for (const Fix& fix : plan.fixes) {
    show(fix);
    if (!agreed(options.yes)) {
      fmt::print("not done\n");
      left++;
      continue;
    }
    if (auto done = apply(fix, options.root); !done) {
      complain(kExitFailed, done.error().message());
      failed = true;
      continue;
    }
    restart = restart || fix.restart;
  }
  if (plan.fixes.empty() && plan.by_hand.empty()) fmt::print("There is nothing to fix.\n");
  if (restart) fmt::print("Restart the machine, then run holdfast doctor.\n");
  return failed || left != 0 ? kExitFailed : kExitOk;
}

}  // namespace holdfast::cli
