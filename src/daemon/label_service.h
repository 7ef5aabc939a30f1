// SPDX-License-Identifier: Apache-2.0
// Labels, GetLabel, SetLabel, RemoveLabel of io.holdfast.Control, for kernels that keep no labels.
#ifndef HOLDFAST_DAEMON_LABEL_SERVICE_H
#define HOLDFAST_DAEMON_LABEL_SERVICE_H

#include <optional>
#include <string_view>

#include "daemon/enforcement.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// `method` is a name without its interface. Empty: it is none of these. The policy decides by the
// credentials and the cgroup of the process that connected.
[[nodiscard]] std::optional<rpc::Answer> answer_label_call(Enforcement& enforcement,
                                                           std::string_view method,
                                                           const rpc::Call& call);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_LABEL_SERVICE_H
