// SPDX-License-Identifier: Apache-2.0
// The extended attributes of the tree's sockets: setxattr(2) and its family, answered here.
//
// On a kernel whose sockets keep no user.* attributes all of it is emulated, with the answers of
// Linux 7.3. On one whose sockets do, the kernel is left alone, unless the profile says which
// labels may be set: then what sets and removes is decided and done here, on a duplicate.
#ifndef HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
#define HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H

#include <linux/seccomp.h>

#include <functional>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/calls/socket_labels.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

// Linux 6.13; not in the headers of the oldest supported build machine.
inline constexpr int kSetxattratNumber = 463;
inline constexpr int kGetxattratNumber = 464;
inline constexpr int kListxattratNumber = 465;
inline constexpr int kRemovexattratNumber = 466;

// Calls of the xattr family: none, those that change something, or all.
enum class AttributeCalls { none, changes, all };

[[nodiscard]] AttributeCalls attribute_calls_to_see(const hf_profile& profile,
                                                    SocketAttributes kernel);

void add_attribute_calls(kernel::SeccompFilter& filter, AttributeCalls seen);
[[nodiscard]] bool is_attribute_call(int number);

// Who makes the call.
struct AttributeCaller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const std::function<bool()>&
      in_own_user_namespace;  // in the supervisor's: its capabilities count
  const std::function<bool()>&
      waiting;  // is it still there? Its memory is touched only after a yes
  const Judge& judge;
  const LabelNames& label_names;
};
[[nodiscard]] Answer answer_attribute_call(SocketLabels& labels, const AttributeCaller& caller);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
