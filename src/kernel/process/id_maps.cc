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

// A map has to arrive in one write().
Result<void> write_file(const std::string& path, const std::string& text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error("write", path);
  return {};
}

// What this process can name, each id mapped to itself.
std::string identity_of(const char* own_map_path) {
  std::ifstream own_map(own_map_path);
  std::string text;
  for (std::uint64_t inside, outside, count; own_map >> inside >> outside >> count;)
    text += fmt::format("{} {} {}\n", inside, inside, count);
  return text;
}

}  // namespace

Result<void> write_identity_maps(pid_t child) {
  const std::string directory = fmt::format("/proc/{}", child);
  auto all = write_file(directory + "/uid_map", identity_of("/proc/self/uid_map"));
  if (all) return write_file(directory + "/gid_map", identity_of("/proc/self/gid_map"));
  HF_TRY(write_file(directory + "/uid_map", fmt::format("{0} {0} 1\n", ::geteuid())));
  HF_TRY(write_file(directory + "/setgroups", "deny"));
  return write_file(directory + "/gid_map", fmt::format("{0} {0} 1\n", ::getegid()));
}

}  // namespace holdfast::kernel
