// SPDX-License-Identifier: Apache-2.0
// Telling the service manager how a daemon is doing: sd_notify(3)'s protocol.
#ifndef HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H
#define HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H

#include <string_view>

#include "base/result.h"

namespace holdfast::kernel {

// Sends `state` ("READY=1") to $NOTIFY_SOCKET. Nothing to do without that variable. Errors: what
// sendto(2) says; EAFNOSUPPORT for an address that is neither a path nor abstract.
[[nodiscard]] Result<void> notify_service_manager(std::string_view state);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H
