// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/privileges.h"

#include <sys/stat.h>

#include <fmt/core.h>

#include <algorithm>

#include "kernel/files/text_file.h"
#include "kernel/process/process.h"

namespace holdfast::kernel {
namespace {

// The line of a field of /proc/self/status. Empty: the kernel has none.
std::string line_of(const std::string& status, const std::string& name) {
  const std::size_t at = status.find("\n" + name + ":");
  if (at == std::string::npos) return {};
  return status.substr(at + 1, status.find('\n', at + 1) - at - 1);
}

}  // namespace

std::string privileges_text() {
  const std::string boot = boot_id();
  const auto status = read_text_file("/proc/self/status");
  struct stat program = {};
  struct stat users = {};
  if (boot.empty() || !status || ::stat("/proc/self/exe", &program) != 0 ||
      ::stat("/proc/self/ns/user", &users) != 0)
    return {};
  // Where this cannot be read, no security module has a context for processes.
  const auto context = read_text_file("/proc/self/attr/current");
  std::string text = fmt::format(
      "{} {} {} {} {}.{} {} {} {} {}", boot, program.st_dev, program.st_ino, program.st_size,
      program.st_mtim.tv_sec, program.st_mtim.tv_nsec, users.st_ino, line_of(*status, "CapEff"),
      line_of(*status, "Seccomp_filters"), context ? *context : std::string());
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace holdfast::kernel
