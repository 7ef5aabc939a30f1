// SPDX-License-Identifier: Apache-2.0
// Labels of sockets for everybody, where the kernel keeps none: Labels, GetLabel, SetLabel and
// RemoveLabel of io.holdfast.Control.
#ifndef HOLDFAST_DAEMON_LABEL_SERVICE_H
#define HOLDFAST_DAEMON_LABEL_SERVICE_H

#include <optional>
#include <string_view>

#include "daemon/enforcement.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// Nothing: `method`, without its interface, is another one. The caller is whoever connected.
[[nodiscard]] std::optional<rpc::Answer> answer_label_call(Enforcement& enforcement,
                                                           std::string_view method,
                                                           const rpc::Call& call);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_LABEL_SERVICE_H
