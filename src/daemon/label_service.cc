// SPDX-License-Identifier: Apache-2.0
#include "daemon/label_service.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "backend/calls/caller.h"
#include "base/base64.h"
#include "kernel/proc/proc.h"
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

std::optional<std::string> text_of(const rpc::Call& call, const char* parameter) {
  const auto at = call.parameters.find(parameter);
  if (at == call.parameters.end() || !at->is_string()) return std::nullopt;
  return at->get<std::string>();
}

// The caller, as a decision needs it.
struct Caller {
  hf_task task = {};
  std::uint16_t profile = HF_NO_PROFILE;
};

// Finds the caller's profile by its cgroup. A mark on its executable is not taken into account.
// Errors: ESRCH the caller has ended, and its pid may be another process's.
Result<Caller> caller_of(const rpc::Call& call, const policy::Compiled& policy) {
  const Error gone = {ESRCH, "find the caller", {}, "it has ended"};
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  HF_TRY_ASSIGN(const auto pid,
                call.peer_fd < 0 ? Result<pid_t>(gone) : proc.process_of_pidfd(call.peer_fd));
  if (pid <= 0) return gone;
  HF_TRY_ASSIGN(const auto task, proc.task(pid));
  HF_TRY_ASSIGN(const auto cgroup, task.cgroup());
  const auto described = backend::calls::describe_task(task);
  if (!described) return gone;
  // If the caller is alive it has had its pid the whole time, so all facts are its own.
  const auto still = proc.process_of_pidfd(call.peer_fd);
  if (!still || *still != pid) return gone;
  Caller caller;
  caller.task = *described;
  caller.task.uid = call.peer.uid;
  const auto profiles = policy::profiles_of_cgroup(policy, cgroup);
  if (!profiles.empty()) caller.profile = profiles.front();
  return caller;
}

bool marks_rule_labels(const policy::Compiled& policy) {
  return std::ranges::any_of(policy.marks, [&](const policy::Mark& mark) {
    return policy.label_rights[mark.profile].ruled;
  });
}

// Returns the errno of a refusal, or 0.
int judge_change(Enforcement& enforcement, const rpc::Call& call, std::uint16_t way,
                 const std::string& name, std::uint64_t cookie) {
  const policy::Compiled& policy = enforcement.policy();
  hf_request request = {};
  request.op = HF_OP_LABEL;
  request.via = way;
  const auto caller = caller_of(call, policy);
  if (!caller) {
    request.flags |= HF_REQ_FACTS_MISSING;
  } else {
    request.subject = caller->profile;
    if (caller->profile == HF_NO_PROFILE && marks_rule_labels(policy))
      request.flags |= HF_REQ_FACTS_MISSING;
    const auto& listed = policy.label_rights[caller->profile].set;
    if (std::ranges::find(listed, name) != listed.end()) request.flags |= HF_REQ_LABEL_LISTED;
  }
  if (request.subject == HF_NO_PROFILE && !(request.flags & HF_REQ_FACTS_MISSING)) return 0;
  return enforcement.decide(request, caller ? caller->task : hf_task{}, cookie);
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
  const auto name = text_of(call, "name");
  if (!name) return rpc::invalid_parameter("name");
  const auto at = find_label(labels, *name);
  if (at == labels.end()) return refused(ENODATA, "there is no such label");
  return {"", {{"value", to_base64(at->second)}}, false};
}

Answer change(Enforcement& enforcement, const rpc::Call& call, int socket_fd, Labels labels,
              std::uint16_t way) {
  const auto name = text_of(call, "name");
  if (!name || !label::is_label_name(*name)) return rpc::invalid_parameter("name");
  const auto encoded = text_of(call, "value");
  const auto value = encoded ? from_base64(*encoded) : std::nullopt;
  if (way == HF_VIA_LABEL_SET && !value) return rpc::invalid_parameter("value");
  const auto cookie = kernel::socket_cookie(socket_fd);
  if (!cookie) return refused(cookie.error());
  if (const int code = judge_change(enforcement, call, way, *name, *cookie); code != 0)
    return refused(code, "the policy does not let this caller change the label");
  const auto at = find_label(labels, *name);
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
  const auto socket = call.take_socket();
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
