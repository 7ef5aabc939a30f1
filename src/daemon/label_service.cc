// SPDX-License-Identifier: Apache-2.0
#include "daemon/label_service.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "backend/calls/caller.h"
#include "backend/calls/foreign_fd.h"
#include "base/base64.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"
#include "policy/cgroup_path.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {
namespace {

using backend::Labels;
using rpc::Answer;
using rpc::Json;

Answer refused(int code, const std::string& message) {
  return {fmt::format("{}.LabelRefused", rpc::kControlInterface),
          {{"errno", code}, {"message", message}},
          false};
}

Answer refused(const Error& error) { return refused(error.code, error.message()); }

// A task that a change is decided by.
struct Asker {
  hf_task task = {};
  std::uint16_t profile = HF_NO_PROFILE;
  std::vector<backend::Membership> sessions;  // in ascending order
};

// Finds the profile by the task's cgroup. A mark on its executable is not taken into account. Errors:
// of reading /proc; ESRCH there is no such task.
Result<Asker> asker_of(const kernel::Proc& proc, pid_t tid, Enforcement& enforcement) {
  Asker asker;
  HF_TRY_ASSIGN(const auto task, proc.task(tid));
  HF_TRY_ASSIGN(const auto cgroup, task.cgroup());
  HF_TRY_ASSIGN(asker.sessions, enforcement.machine().sessions_of(tid));
  const auto described = backend::calls::describe_task(task);
  if (!described) return Error{ESRCH, "find task", std::to_string(tid), {}};
  asker.task = *described;
  const auto profiles = policy::profiles_of_cgroup(enforcement.policy(), cgroup);
  if (!profiles.empty()) asker.profile = profiles.front();
  return asker;
}

// Errors: ESRCH the caller has ended, and its pid may be another process's.
Result<Asker> caller_of(const kernel::Proc& proc, const rpc::Call& call, Enforcement& enforcement) {
  const Error gone = {ESRCH, "find the caller", {}, "it has ended"};
  HF_TRY_ASSIGN(const auto pid,
                call.peer_fd < 0 ? Result<pid_t>(gone) : proc.process_of_pidfd(call.peer_fd));
  if (pid <= 0) return gone;
  HF_TRY_ASSIGN(auto caller, asker_of(proc, pid, enforcement));
  // If the caller is alive it has had its pid the whole time, so all facts are its own.
  const auto still = proc.process_of_pidfd(call.peer_fd);
  if (!still || *still != pid) return gone;
  caller.task.uid = call.peer.uid;
  return caller;
}

// The member that root makes the call for: of the session that the call names, and of all sessions
// that the caller is in. So the caller gains nothing, also if the number has become another task's:
// the sessions that are found here are those that decide.
// Errors: EPERM it is not.
Result<Asker> member_of(const kernel::Proc& proc, const rpc::Call& call, const Asker& caller,
                        Enforcement& enforcement) {
  const Error refused = {EPERM, "find the member", {}, "it is not one of the caller's session"};
  const auto tid = call.small_number("task");
  const auto session = call.number("session");
  if (!tid || !session || call.peer.uid != 0) return refused;
  auto member = asker_of(proc, *tid, enforcement);
  if (!member) return refused;
  constexpr auto kId = &backend::Membership::session;
  const bool in_session =
      std::ranges::find(member->sessions, *session, kId) != member->sessions.end();
  const bool in_callers = std::ranges::includes(member->sessions, caller.sessions, {}, kId, kId);
  if (!in_session || !in_callers) return refused;
  return member;
}

bool marks_rule_labels(const policy::Compiled& policy) {
  return std::ranges::any_of(policy.marks, [&](const policy::Mark& mark) {
    return policy.label_rights[mark.profile].ruled;
  });
}

struct Change {
  std::uint16_t way = 0;  // HF_VIA_LABEL_*
  std::string name;
  std::uint64_t cookie = 0;
};

// By the machine's policy. `asker` is null if it is not known. Returns the errno of a refusal, or 0.
int judge_by_profile(Enforcement& enforcement, const Change& change, const Asker* asker) {
  const policy::Compiled& policy = enforcement.policy();
  hf_request request = {};
  request.op = HF_OP_LABEL;
  request.via = change.way;
  if (asker == nullptr) {
    request.flags |= HF_REQ_FACTS_MISSING;
  } else {
    request.subject = asker->profile;
    if (asker->profile == HF_NO_PROFILE && marks_rule_labels(policy))
      request.flags |= HF_REQ_FACTS_MISSING;
    const auto& listed = policy.label_rights[asker->profile].set;
    if (std::ranges::find(listed, change.name) != listed.end())
      request.flags |= HF_REQ_LABEL_LISTED;
  }
  if (request.subject == HF_NO_PROFILE && !(request.flags & HF_REQ_FACTS_MISSING)) return 0;
  return enforcement.decide(request, asker ? asker->task : hf_task{}, change.cookie);
}

// By the sessions of the task, and the machine's policy.
int judge_asker(Enforcement& enforcement, const Change& change, const Asker& asker) {
  const int by_profile = judge_by_profile(enforcement, change, &asker);
  const int by_session = enforcement.machine().decide_label(
      {asker.sessions, asker.task, change.way, change.name, change.cookie});
  return by_profile != 0 ? by_profile : by_session;
}

// The label by which programs find out whether sockets have labels here. It claims nothing.
bool is_probe(const std::string& name) { return name == kernel::kProbeAttribute; }

// Returns the errno of a refusal, or 0.
int judge_change(Enforcement& enforcement, const rpc::Call& call, const Change& change) {
  const auto proc = kernel::Proc::open();
  if (!proc) return EPERM;
  const auto caller = caller_of(*proc, call, enforcement);
  if (!caller) {
    const int code = judge_by_profile(enforcement, change, nullptr);
    return code != 0 ? code : enforcement.machine().sessions().empty() ? 0 : EPERM;
  }
  if (!call.parameters.contains("task"))
    return is_probe(change.name) ? 0 : judge_asker(enforcement, change, *caller);
  const auto member = member_of(*proc, call, *caller, enforcement);
  if (!member) return member.error().code;
  if (is_probe(change.name)) return 0;
  const int code = judge_asker(enforcement, change, *member);
  // The member's sessions are also the caller's.
  if (code != 0 || member->profile == caller->profile) return code;
  return judge_by_profile(enforcement, change, &*caller);
}

int judge_mode(int socket_fd, const rpc::Call& call, label::Access access) {
  const auto file = kernel::describe_file(socket_fd);
  if (!file) return file.error().code;
  if (!file->socket) return ENOTSOCK;
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const bool root = call.peer.uid == 0;
  return label::check_access(*file, {call.peer.uid, call.peer.gid, {}, root ? kAll : 0},
                             root ? label::Capabilities::count : label::Capabilities::do_not_count,
                             access);
}

// The socket that came with the call, or that root names by its descriptor: a relay would hold one that
// came for a while after the call, and the socket would outlive its close.
std::optional<backend::calls::ForeignFd> socket_of(const rpc::Call& call) {
  std::optional<Fd> socket;
  if (!call.parameters.contains("fd")) {
    socket = call.take_socket();
  } else if (const auto fd = call.small_number("fd");
             fd && call.peer.uid == 0 && call.peer_fd >= 0) {
    if (auto copy = kernel::duplicate_from(call.peer_fd, *fd)) socket = *std::move(copy);
  }
  if (!socket) return std::nullopt;
  return backend::calls::ForeignFd(*std::move(socket));
}

auto find_label(Labels& labels, const std::string& name) {
  return std::ranges::find(labels, name, &Labels::value_type::first);
}

Answer list(const Labels& labels) {
  Json list = Json::array();
  for (const auto& [name, value] : labels)
    list.push_back({{"name", name}, {"value", to_base64(value)}});
  return {"", {{"labels", std::move(list)}}, false};
}

Answer get(Labels labels, const rpc::Call& call) {
  const auto name = call.text("name");
  if (!name) return rpc::invalid_parameter("name");
  const auto at = find_label(labels, *name);
  if (at == labels.end()) return refused(ENODATA, "there is no such label");
  return {"", {{"value", to_base64(at->second)}}, false};
}

Answer change(Enforcement& enforcement, const rpc::Call& call, int socket_fd, Labels labels,
              std::uint16_t way) {
  const auto name = call.text("name");
  if (!name || !label::is_label_name(*name)) return rpc::invalid_parameter("name");
  const auto encoded = call.text("value");
  const auto value = encoded ? from_base64(*encoded) : std::nullopt;
  if (way == HF_VIA_LABEL_SET && !value) return rpc::invalid_parameter("value");
  const auto flags = call.parameters.contains("flags") ? call.number("flags") : 0;
  if (!flags || *flags > (label::kCreate | label::kReplace)) return rpc::invalid_parameter("flags");
  const auto cookie = kernel::socket_cookie(socket_fd);
  if (!cookie) return refused(cookie.error());
  if (const int code = judge_change(enforcement, call, {way, *name, *cookie}); code != 0)
    return refused(code, "the policy does not let this caller change the label");
  const auto at = find_label(labels, *name);
  if (way == HF_VIA_LABEL_SET) {
    label::Present present{labels.size(), 0, at != labels.end()};
    for (const auto& [other, bytes] : labels) present.value_bytes += bytes.size();
    if (const int code = label::check_set(present, value->size(), static_cast<int>(*flags)))
      return refused(code, "the kernel would not set it");
  }
  if (way == HF_VIA_LABEL_REMOVE) {
    if (at == labels.end()) return refused(ENODATA, "there is no such label");
    labels.erase(at);
  } else if (at == labels.end()) {
    labels.emplace_back(*name, *value);
  } else {
    at->second = *value;
  }
  if (auto set = enforcement.set_labels(socket_fd, labels); !set) return refused(set.error());
  return {};
}

}  // namespace

std::optional<Answer> answer_label_call(Enforcement& enforcement, std::string_view method,
                                        const rpc::Call& call) {
  const bool sets = method == "SetLabel";
  const bool removes = method == "RemoveLabel";
  const bool gets = method == "GetLabel";
  if (!sets && !removes && !gets && method != "Labels") return std::nullopt;
  const auto socket = socket_of(call);
  if (!socket) return refused(EBADF, "no socket came with the call");
  const auto access = sets || removes ? label::Access::write : label::Access::read;
  if (const int code = judge_mode(socket->get(), call, access); code != 0)
    return refused(code, "the mode of the socket does not permit it");
  auto labels = enforcement.labels_of(socket->get());
  if (!labels) return refused(labels.error());
  if (gets) return get(*std::move(labels), call);
  if (!sets && !removes) return list(*labels);
  return change(enforcement, call, socket->get(), *std::move(labels),
                sets ? HF_VIA_LABEL_SET : HF_VIA_LABEL_REMOVE);
}

}  // namespace holdfast::daemon
