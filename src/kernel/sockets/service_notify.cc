// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/service_notify.h"

#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "kernel/sockets/local_socket.h"

namespace holdfast::kernel {

Result<void> notify_service_manager(std::string_view state) {
  const char* variable = std::getenv("NOTIFY_SOCKET");
  if (variable == nullptr || *variable == '\0') return {};
  const std::string path = variable;
  if ((path[0] != '/' && path[0] != '@') || path.size() >= sizeof(sockaddr_un::sun_path))
    return Error{EAFNOSUPPORT, "notify service manager", path, {}};
  return wrap(send_datagram(path, state), "notify service manager");
}

}  // namespace holdfast::kernel
