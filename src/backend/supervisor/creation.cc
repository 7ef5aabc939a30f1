// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <sys/syscall.h>

#include <cerrno>

#include "backend/supervisor/calls.h"
#include "backend/supervisor/filter.h"
#include "kernel/process/namespaces.h"

namespace holdfast::backend::supervisor {
namespace {

// The flags that check_unshare_flags() of the kernel accepts.
constexpr std::uint64_t kUnshareNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                             CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                             CLONE_NEWCGROUP | CLONE_NEWTIME | kUnshareEmptyMntns;
constexpr std::uint64_t kUnshareOther =
    CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM;

PendingDecision creation(const Caller& caller, std::uint16_t way, std::uint32_t types) {
  PendingDecision decision;
  decision.request = caller.common;
  decision.request.op = HF_OP_NAMESPACE_ALLOC;
  decision.request.via = way;
  decision.request.ns_types = types;
  return decision;
}

Result<std::optional<PendingDecision>> ask_unshare(const Caller& caller) {
  const std::uint64_t flags = caller.call.data.args[0];
  if (flags & ~(kUnshareNamespaces | kUnshareOther)) return Error{EINVAL, "unshare", {}, {}};
  std::uint32_t types = kernel::types_from_clone_flags(flags);
  if (flags & kUnshareEmptyMntns) types |= HF_NS_MNT;
  if (types == 0) return std::optional<PendingDecision>(std::nullopt);
  return std::optional<PendingDecision>(creation(caller, HF_VIA_UNSHARE, types));
}

}  // namespace

bool makes_nothing(const seccomp_data& unshare) { return (unshare.args[0] & ~kUnshareOther) == 0; }

Result<std::optional<PendingDecision>> decisions_of_creation(const Caller& caller) {
  switch (caller.call.data.nr) {
    case SYS_unshare:
      return ask_unshare(caller);
    case SYS_clone: {
      // The lowest byte is the exit signal, so clone(2) has no CLONE_NEWTIME.
      const std::uint64_t flags = caller.call.data.args[0] & 0xffffff00u;
      return std::optional<PendingDecision>(
          creation(caller, HF_VIA_CLONE, kernel::types_from_clone_flags(flags)));
    }
    default:
      return std::optional<PendingDecision>(creation(caller, HF_VIA_MOUNT, HF_NS_MNT));
  }
}

}  // namespace holdfast::backend::supervisor
