// SPDX-License-Identifier: Apache-2.0
// Reports the state of this daemon to the service manager, by the protocol of sd_notify(3).
#ifndef HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H
#define HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H

#include <string_view>

#include "base/result.h"

namespace holdfast::kernel {

// Sends `state` ("READY=1") to $NOTIFY_SOCKET. Without that variable it does nothing and succeeds.
// Errors: EAFNOSUPPORT, the address is neither a path nor abstract, or too long; of sendto(2).
[[nodiscard]] Result<void> notify_service_manager(std::string_view state);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SERVICE_NOTIFY_H
