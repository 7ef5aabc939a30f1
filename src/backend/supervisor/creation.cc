// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <sys/syscall.h>

#include <cerrno>

#include "backend/supervisor/calls.h"
#include "backend/supervisor/filter.h"
#include "kernel/process/namespaces.h"

namespace holdfast::backend::supervisor {
namespace {

// What check_unshare_flags() of the kernel knows.
constexpr std::uint64_t kUnshareNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                             CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                             CLONE_NEWCGROUP | CLONE_NEWTIME | kUnshareEmptyMntns;
constexpr std::uint64_t kUnshareOther =
    CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM;

Question creation(const Caller& caller, std::uint16_t way, std::uint32_t types) {
  Question question;
  question.request = caller.common;
  question.request.hook = HF_HOOK_NAMESPACE_ALLOC;
  question.request.way = way;
  question.request.ns_types = types;
  return question;
}

Result<std::optional<Question>> ask_unshare(const Caller& caller) {
  const std::uint64_t flags = caller.call.data.args[0];
  if (flags & ~(kUnshareNamespaces | kUnshareOther)) return Error{EINVAL, "unshare", {}, {}};
  std::uint32_t types = kernel::types_from_clone_flags(flags);
  if (flags & kUnshareEmptyMntns) types |= HF_NS_MNT;
  if (types == 0) return std::optional<Question>(std::nullopt);
  return std::optional<Question>(creation(caller, HF_WAY_UNSHARE, types));
}

}  // namespace

Result<std::optional<Question>> ask_creation(const Caller& caller) {
  switch (caller.call.data.nr) {
    case SYS_unshare:
      return ask_unshare(caller);
    case SYS_clone: {
      // The lowest byte is the exit signal: CLONE_NEWTIME is no flag here.
      const std::uint64_t flags = caller.call.data.args[0] & 0xffffff00u;
      return std::optional<Question>(
          creation(caller, HF_WAY_CLONE, kernel::types_from_clone_flags(flags)));
    }
    default:
      return std::optional<Question>(creation(caller, HF_WAY_MOUNT, HF_NS_MNT));
  }
}

}  // namespace holdfast::backend::supervisor
