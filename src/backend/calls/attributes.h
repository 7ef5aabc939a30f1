// SPDX-License-Identifier: Apache-2.0
// Handles setxattr(2) and its family for sockets of the process tree.
//
// If the kernel's sockets keep no user.* attributes, all these calls are emulated with the results
// of Linux 7.3. If they do, the kernel performs the calls. Only if the profile limits which labels
// may be set, set and remove are decided and performed here, on a duplicate.
#ifndef HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
#define HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H

#include <linux/seccomp.h>

#include <functional>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/calls/shared_tables.h"
#include "backend/calls/socket_labels.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

// Linux 6.13; not in the headers of the oldest supported build machine.
inline constexpr int kSetxattratNumber = 463;
inline constexpr int kGetxattratNumber = 464;
inline constexpr int kListxattratNumber = 465;
inline constexpr int kRemovexattratNumber = 466;

// Which calls of the xattr family are notified: none; those that change attributes; these, and those
// that read them by a descriptor; or all. Programs such as ls(1) read attributes of each file by its
// path, and each notification costs time.
enum class AttributeCalls { none, changes, by_descriptor, all };

[[nodiscard]] AttributeCalls attribute_calls_to_see(const hf_profile& profile,
                                                    SocketAttributes kernel);

void add_attribute_calls(kernel::SeccompFilter& filter, AttributeCalls seen);
[[nodiscard]] bool is_attribute_call(int number);

// The call and its caller. Borrowed for one answer_attribute_call().
struct AttributeCaller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const SharedTables& tables;
  // Is the caller in the supervisor's user namespace? Only there do its capabilities count.
  const std::function<bool()>& in_own_user_namespace;
  // Does the call still wait? The caller's memory is used only after this returned true.
  const std::function<bool()>& waiting;
  const Judge& judge;
  const LabelNames& label_names;
};
[[nodiscard]] Answer answer_attribute_call(SocketLabels& labels, const AttributeCaller& caller);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
