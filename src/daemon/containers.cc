// SPDX-License-Identifier: Apache-2.0
#include "daemon/containers.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/reason.h"
#include "kernel/proc/proc.h"
#include "kernel/process/namespaces.h"
#include "kernel/sockets/sockets.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {

namespace {

using rpc::Answer;
using rpc::Json;

// Open at one time: of one user, and of all users but root. Root can always open as many again.
constexpr std::uint32_t kMaxOfUser = 32;
constexpr std::size_t kMaxOfUsers = 1024;

Error refused(int code, std::string why) {
  return Error{code, "open container", {}, std::move(why)};
}

// The caller, by its own /proc directory. Errors: ENOTSUP its numbers of processes are not ours.
Result<kernel::TaskDirectory> caller_of(const kernel::Proc& proc, const rpc::Call& call) {
  const Error hidden = refused(ENOTSUP, "the hook runs in another pid namespace than holdfastd");
  if (call.peer_fd < 0) return hidden;
  const auto pid = proc.process_of_pidfd(call.peer_fd);
  if (!pid || *pid <= 0) return hidden;
  HF_TRY_ASSIGN(auto caller, proc.task(*pid));
  HF_TRY_ASSIGN(const auto status, caller.status());
  // Its number may be another's by now, if it has ended.
  const auto still = proc.process_of_pidfd(call.peer_fd);
  if (!still || *still != *pid || status.innermost_pid != status.process) return hidden;
  return caller;
}

// The namespaces of the container's process, held so that their numbers stay theirs.
struct ContainerNamespaces {
  std::array<Fd, HF_NS_COUNT> fds;
  std::array<std::uint32_t, HF_NS_COUNT> inodes = {};
  std::uint32_t own = 0;  // HF_NS_*: neither the caller nor holdfastd is in them
};

// Is the namespace under the rights of a user namespace that the user has made? Others may be in it
// else.
bool is_of_user(std::uint32_t uid, unsigned type, int namespace_fd) {
  if (uid == 0) return true;
  const auto user_ns = kernel::owning_user_namespace(namespace_fd);
  const int fd = type == kernel::kUserNamespace ? namespace_fd : user_ns ? user_ns->get() : -1;
  const auto maker = kernel::maker_of_user_namespace(fd);
  return maker && *maker == uid;
}

Result<ContainerNamespaces> hold_namespaces(const kernel::TaskDirectory& process, std::uint32_t uid,
                                            const kernel::TaskNamespaces& of_caller,
                                            const kernel::TaskNamespaces& ours) {
  ContainerNamespaces held;
  for (unsigned bit = 0; bit < HF_NS_COUNT; bit++) {
    if (ours.link[bit] == kernel::kNoNamespace) continue;
    HF_TRY_ASSIGN(held.fds[bit], process.open_namespace(bit));
    HF_TRY_ASSIGN(const auto file, kernel::describe_file(held.fds[bit].get()));
    held.inodes[bit] = static_cast<std::uint32_t>(file.inode);
    if (file.inode != of_caller.link[bit] && file.inode != ours.link[bit] &&
        is_of_user(uid, bit, held.fds[bit].get()))
      held.own |= 1u << bit;
  }
  return held;
}

// May the user have rules put on the process? It has to be in a user namespace that the user has
// made, where it gains no rights of others at an exec, and not be root's outside.
Result<void> check_owner(std::uint32_t uid, const kernel::TaskDirectory& process, int user_ns_fd) {
  if (uid == 0) return {};
  HF_TRY_ASSIGN(const auto maker, kernel::maker_of_user_namespace(user_ns_fd));
  HF_TRY_ASSIGN(const auto credentials, process.credentials());
  if (maker == uid && std::ranges::count(credentials.uids, 0u) == 0) return {};
  return refused(EPERM, "the process is not in a user namespace of the user who asks");
}

// What a user's containers, with the user's runs, may have. The policy is the machine's.
backend::UserLimits limits_of(const policy::Compiled& policy) {
  constexpr std::uint32_t kAny = UINT32_MAX;
  return {.sessions = kMaxOfUser + policy.sessions.sessions,
          .members = policy.sessions.members,
          .namespaces = policy.sessions.namespaces,
          .policies = kAny,
          .rules = kAny};
}

}  // namespace

std::optional<Answer> Containers::answer(std::string_view method, const rpc::Call& call) {
  if (method != "OpenContainer") return std::nullopt;
  const auto profile = call.text("profile");
  if (!profile) return rpc::invalid_parameter("profile");
  const auto pid = call.small_number("pid");
  if (!pid || *pid < 2) return rpc::invalid_parameter("pid");
  const auto opened = open(call, *profile, *pid);
  if (opened) {
    opened_();
    return Answer{"", {{"session", *opened}}, false};
  }
  const Error& error = opened.error();
  return Answer{fmt::format("{}.SessionRefused", rpc::kControlInterface),
                {{"errno", error.code}, {"message", reason_of(error)}},
                false};
}

// By the policy in force.
Result<std::uint16_t> Containers::profile_for(const rpc::Call& call, std::string_view name) {
  const policy::Compiled& policy = enforcement_.policy();
  if (enforcement_.live_tables() == nullptr)
    return refused(ENOENT, "the text of the policy in force is not known");
  const auto number = policy.find_profile(name);
  if (!number || *number == HF_NO_PROFILE)
    return refused(ENOENT, "the policy in force has no such profile");
  const policy::AskedBy& asked_by = policy.asked_by[*number];
  if (asked_by.any) return *number;
  if (asked_by.runtimes.empty())
    return refused(EPERM, "containers may not ask for it: it does not say annotation = true");
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  HF_TRY_ASSIGN(const auto hook, caller_of(proc, call));
  HF_TRY_ASSIGN(const auto status, hook.status());
  HF_TRY_ASSIGN(const auto runtime, proc.task(status.parent));
  HF_TRY_ASSIGN(const auto program, runtime.program_name());
  if (std::ranges::find(asked_by.runtimes, program) != asked_by.runtimes.end()) return *number;
  return refused(EPERM, fmt::format("containers of {} may not ask for it", program));
}

bool Containers::has_room_for(std::uint32_t uid) const {
  if (uid == 0) return true;
  std::size_t of_user = 0, of_users = 0;
  for (const std::uint64_t id : enforcement_.machine().sessions()) {
    const auto counts = enforcement_.machine().session(id);
    if (!counts || counts->owner == 0 || counts->container_of == 0) continue;
    of_users++;
    if (counts->owner == uid) of_user++;
  }
  return of_user < kMaxOfUser && of_users < kMaxOfUsers;
}

Result<std::uint64_t> Containers::open(const rpc::Call& call, std::string_view name, pid_t pid) {
  HF_TRY_ASSIGN(const auto number, profile_for(call, name));
  if (!has_room_for(call.peer.uid)) return refused(ENOSPC, "the user has too many containers");
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  HF_TRY_ASSIGN(const auto hook, caller_of(proc, call));
  HF_TRY_ASSIGN(const auto of_hook, hook.namespaces());
  HF_TRY_ASSIGN(const auto self, proc.task(kernel::own_pid()));
  HF_TRY_ASSIGN(const auto ours, self.namespaces());
  HF_TRY_ASSIGN(const auto process, proc.task(pid));
  HF_TRY_ASSIGN(const auto first, process.status());
  if (first.thread != first.process) return refused(EINVAL, "the number is a thread's");
  HF_TRY_ASSIGN(const auto namespaces, hold_namespaces(process, call.peer.uid, of_hook, ours));
  HF_TRY(check_owner(call.peer.uid, process, namespaces.fds[kernel::kUserNamespace].get()));
  if (namespaces.own == 0) return refused(EINVAL, "the container has no namespaces of its own");
  const auto spec = enforcement_.spec_of(enforcement_.policy(), *enforcement_.live_tables());
  backend::SessionOpening opening;
  opening.policy = &spec;
  // The number of a generation is never used again, and its policy never changes.
  opening.key = fmt::format("generation {}", enforcement_.live().number);
  opening.profile = number;
  opening.owner = call.peer.uid;
  opening.tid = pid;
  opening.namespaces = namespaces.inodes;
  opening.container_of = enforcement_.live().number;
  opening.own = namespaces.own;
  if (call.peer.uid != 0) opening.user = limits_of(enforcement_.policy());
  HF_TRY_ASSIGN(const auto id, enforcement_.machine().open_session(opening));
  // Its directory is of one process for ever. So its number was its own all the time.
  const auto status = process.status();
  if (!status || status->ended) return refused(ESRCH, "the container's process has ended");
  return id;
}

void Containers::deliver(const hf_event& event) {
  const auto counts = enforcement_.machine().session(event.session);
  if (counts && counts->container_of != 0)
    enforcement_.report_of_container(event, counts->container_of);
}

}  // namespace holdfast::daemon
