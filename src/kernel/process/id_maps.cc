// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/id_maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

#include <fstream>

#include "base/fd.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

// The kernel requires a whole map in one write(2).
Result<void> write_file(const std::string& path, const std::string& text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error("write", path);
  return {};
}

// A map of each id of this process's user namespace to itself.
std::string identity_map(const char* own_map_path) {
  std::ifstream own_map(own_map_path);
  std::string text;
  for (std::uint64_t inside, outside, count; own_map >> inside >> outside >> count;)
    text += fmt::format("{} {} {}\n", inside, inside, count);
  return text;
}

}  // namespace

Result<void> write_identity_maps(pid_t child) {
  const std::string directory = fmt::format("/proc/{}", child);
  auto all = write_file(directory + "/uid_map", identity_map("/proc/self/uid_map"));
  if (all) return write_file(directory + "/gid_map", identity_map("/proc/self/gid_map"));
  HF_TRY(write_file(directory + "/uid_map", fmt::format("{0} {0} 1\n", ::geteuid())));
  HF_TRY(write_file(directory + "/setgroups", "deny"));
  return write_file(directory + "/gid_map", fmt::format("{0} {0} 1\n", ::getegid()));
}

}  // namespace holdfast::kernel
