// SPDX-License-Identifier: Apache-2.0
// Any calls of any task, with any memory: each is answered once at most, and exactly once unless its
// caller has died; and no call that the policy forbids is continued.
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "fakes/fake_run.h"

using namespace holdfast;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// The calls that the filter sends to the supervisor.
constexpr std::array kCalls = {
    SYS_setns,
    SYS_unshare,
    SYS_clone,
    SYS_fsmount,
    SYS_open_tree,
    SYS_ptrace,
    SYS_pidfd_getfd,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_ioctl,
    SYS_setxattr,
    SYS_fsetxattr,
    SYS_fgetxattr,
    SYS_flistxattr,
    SYS_fremovexattr,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_write,
    SYS_writev,
    SYS_accept,
    SYS_accept4,
    SYS_landlock_restrict_self,
};
constexpr std::uint64_t kMemory = 4096;  // where the bytes of the input lie in the task's memory
constexpr const char* kPolicy = R"(version = 1
[profile.a]
namespaces = { create = ["net"], enter = "none" }
label.set = ["user.a"]
[[profile.a.socket]]
on = ["connect", "bind", "send", "accept"]
label = { "user.x" = "y" }
verdict = "deny"
)";

// One call of the input.
struct Step {
  std::uint8_t call;
  std::uint8_t what;  // bit 0: from a task that /proc does not have; bit 1: it dies first
  std::uint8_t arguments[6];
};

std::uint64_t argument(std::uint8_t byte) {
  if (byte < 64) return byte;                              // a descriptor, a length
  if (byte < 128) return std::uint64_t{1} << (byte - 64);  // a flag
  if (byte < 192) return kMemory + (byte - 128);           // an address
  return ~std::uint64_t{0} - (byte - 192);                 // -1 and its like
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fakes::FakeRun run(kPolicy);
  const std::string memory(reinterpret_cast<const char*>(data), size);
  run.proc().write_memory(fakes::kFirstTask, kMemory, memory);
  for (std::size_t at = 0; at + sizeof(Step) <= std::min<std::size_t>(size, 16 * sizeof(Step));
       at += sizeof(Step)) {
    Step step;
    std::memcpy(&step, data + at, sizeof(step));
    std::array<std::uint64_t, 6> arguments = {};
    std::ranges::transform(step.arguments, arguments.begin(), argument);
    const int number = kCalls[step.call % kCalls.size()];
    const pid_t thread = step.what & 1 ? fakes::kSecondTask : fakes::kFirstTask;
    const std::uint64_t id = run.listener().deliver(thread, number, arguments);
    const bool dead = step.what & 2;
    if (dead) run.listener().end(id);
    require(static_cast<bool>(run.dispatch()));
    for (int look = 0; look < 1000 && run.listener().waiting(id); look++) {  // a job of the call
      kernel::sleep_us(1000);
      require(static_cast<bool>(run.dispatch()));
    }
    const fakes::Reply reply = run.listener().reply(id);
    require(reply.count == (dead ? 0u : 1u));
    if (number == SYS_setns) require(!reply.continued);
    if (number == SYS_unshare && (arguments[0] & CLONE_NEWUTS)) require(!reply.continued);
  }
  return 0;
}
