// SPDX-License-Identifier: Apache-2.0
#include "run/lsm_memory.h"

#include <algorithm>
#include <cerrno>

#include "kernel/files/atomic_file.h"
#include "kernel/files/plain_file.h"

namespace holdfast::run {
namespace {

constexpr std::size_t kMaxBytes = 8192;
constexpr unsigned kMode = 0644;

}  // namespace

// The first line is the privileges, the second one the reason.
std::string recall(const std::string& path, const std::string& privileges) {
  const auto text = kernel::read_plain_file(path, kMaxBytes);
  if (!text || privileges.empty() || !text->starts_with(privileges + "\n")) return {};
  const auto others = kernel::other_writers(path);
  if (!others || !others->empty()) return {};
  return text->substr(privileges.size() + 1);
}

void remember(const std::string& path, const std::string& privileges, const Error& why) {
  if (privileges.empty() || (why.code != EPERM && why.code != ENOTSUP && why.code != ENOSYS))
    return;
  std::string reason = why.message();
  std::ranges::replace(reason, '\n', ' ');
  (void)kernel::make_directories(path.substr(0, path.rfind('/')));
  (void)kernel::replace_file(path, privileges + "\n" + reason, kMode);
}

}  // namespace holdfast::run
