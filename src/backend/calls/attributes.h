// SPDX-License-Identifier: Apache-2.0
// Handles setxattr(2) and its family for sockets of the process tree.
//
// If the kernel's sockets keep no user.* attributes, all these calls are emulated with the results
// of Linux 7.3. If they do, the kernel performs the calls. Only if the profile limits which labels
// may be set, set and remove are decided and performed here, on a duplicate.
#ifndef HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
#define HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H

#include <linux/seccomp.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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

// Which calls of the xattr family are notified. Programs such as ls(1) read attributes of each file by
// its path, and each notification costs time.
// none: no call.
// changes: those that change attributes.
// by_descriptor: those that name a descriptor by its number, and no call that names a file by a path.
// changes_by_path: by_descriptor and changes.
// all: every call.
enum class AttributeCalls { none, changes, by_descriptor, changes_by_path, all };

[[nodiscard]] AttributeCalls attribute_calls_to_see(const hf_tables& tables,
                                                    const hf_profile& profile,
                                                    SocketAttributes kernel);

// Has the profile rules about sockets or labels? Without any, labels need not be known.
[[nodiscard]] bool may_need_labels(const hf_profile& profile);

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
// Reads the caller's memory, and may wait for it.
[[nodiscard]] Answer answer_attribute_call(LabelAccess& labels, const AttributeCaller& caller);

// The same in steps, for who must not wait. The memory is the caller's if the call still waits after
// it was opened. What was read of it, once:
struct AttributeMemory {
  struct Part {
    int error = EFAULT;  // 0: `bytes` were read
    std::string bytes = {};
  };
  Part path, arguments, name, value;
};
// Any thread; may wait.
[[nodiscard]] AttributeMemory read_attribute_memory(const seccomp_data& call,
                                                    const kernel::TaskMemory& memory);
struct AttributeAnswer {
  Answer answer;
  // Has to be written to the caller's memory before the answer. If it cannot be, the call fails with
  // EFAULT.
  std::string output = {};
  std::uint64_t output_at = 0;
};
// Null: this process may not read the caller's memory. Does not wait.
[[nodiscard]] AttributeAnswer answer_attribute_call(LabelAccess& labels,
                                                    const AttributeCaller& caller,
                                                    const AttributeMemory* memory);
// The descriptor number that the call names as an argument. Empty: it names a path.
[[nodiscard]] std::optional<int> attribute_descriptor(const seccomp_data& call);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
