// SPDX-License-Identifier: Apache-2.0
#include "label/access.h"

#include <linux/capability.h>

#include <algorithm>
#include <cerrno>

namespace holdfast::label {
namespace {

bool in_group(const kernel::FileCredentials& caller, gid_t gid) {
  return caller.gid == gid ||
         std::find(caller.groups.begin(), caller.groups.end(), gid) != caller.groups.end();
}

}  // namespace

int check_access(const kernel::FileFacts& socket, const kernel::FileCredentials& caller,
                 Capabilities capabilities, Access access) {
  constexpr unsigned kRead = 4;
  constexpr unsigned kWrite = 2;
  const unsigned wanted = access == Access::read ? kRead : kWrite;
  const unsigned shift = caller.uid == socket.uid ? 6 : in_group(caller, socket.gid) ? 3 : 0;
  if ((socket.mode >> shift) & wanted) return 0;
  const auto has = [&](unsigned capability) {
    return capabilities == Capabilities::count && ((caller.capabilities >> capability) & 1u);
  };
  if (has(CAP_DAC_OVERRIDE)) return 0;
  if (access == Access::read && has(CAP_DAC_READ_SEARCH)) return 0;
  return EACCES;
}

int check_set(const Present& present, std::size_t bytes, int flags) {
  if (present.labels >= kMaxLabels || present.value_bytes + bytes > kMaxValueBytes) return ENOSPC;
  if (present.has_it && (flags & kCreate)) return EEXIST;
  if (!present.has_it && (flags & kReplace)) return ENODATA;
  return 0;
}

}  // namespace holdfast::label
