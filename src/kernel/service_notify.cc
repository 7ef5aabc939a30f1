// SPDX-License-Identifier: Apache-2.0
#include "kernel/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/fd.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<void> notify_service_manager(std::string_view state) {
  const char* variable = std::getenv("NOTIFY_SOCKET");
  if (variable == nullptr || *variable == '\0') return {};
  const std::string path = variable;
  sockaddr_un address = {};
  if ((path[0] != '/' && path[0] != '@') || path.size() >= sizeof(address.sun_path))
    return Error{EAFNOSUPPORT, "notify service manager", path, {}};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return system_error("notify service manager", path);
  return {};
}

}  // namespace holdfast::kernel
