// SPDX-License-Identifier: Apache-2.0
#include "events/event_text.h"

#include <fmt/core.h>

#include "base/printable.h"
#include "policy/bpf_names.h"
#include "policy/enum_names.h"

namespace holdfast::policy {
namespace {

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string painted(std::string_view text, std::string_view colour, Colour use) {
  if (use == Colour::off) return std::string(text);
  return fmt::format("{}{}{}", colour, text, kPlain);
}

std::string_view colour_of(const hf_verdict& verdict) {
  if (verdict.action == HF_DENY) return verdict.mode == HF_MODE_ENFORCE ? kRed : kYellow;
  return verdict.action == HF_ALLOW ? kGreen : kYellow;
}

std::string task_text(const hf_task& task) {
  return fmt::format("{}[{}]", escape(comm_of(task)), task.pid);
}

std::string rule_text(const hf_verdict& verdict, const Compiled& policy) {
  if (verdict.rule == HF_RULE_DEFAULT || verdict.rule >= policy.rules.size()) return "";
  const Rule& rule = policy.rules[verdict.rule];
  return fmt::format("{} {} = {}", escape(rule.where.place()), escape(rule.key), escape(rule.text));
}

}  // namespace

std::string_view comm_of(const hf_task& task) {
  const std::string_view comm(task.comm, sizeof(task.comm));
  return comm.substr(0, comm.find('\0'));
}

std::string describe_operation(const hf_request& request) {
  std::string_view way = name_of(kViaNames, request.via);
  if (way.empty()) way = name_of(kOpNames, request.op);
  std::string what;
  if (request.op == HF_OP_NAMESPACE_ALLOC || request.op == HF_OP_NAMESPACE_INSTALL)
    what = mask_text(kNsTypeNames, request.ns_types);
  if (request.op == HF_OP_SOCKET) what = mask_text(kFamilyNames, request.sock_family);
  if (request.op == HF_OP_BPF) {
    what = name_of(bpf_names(request.via), request.bpf_value);
    if (what.empty()) what = fmt::format("{}", request.bpf_value);
  }
  return what.empty() ? std::string(way) : fmt::format("{}({})", way, what);
}

std::string_view describe_action(const hf_verdict& verdict) {
  switch (verdict.action) {
    case HF_DENY:
      return verdict.mode == HF_MODE_ENFORCE ? "denied" : "would deny";
    case HF_LOCK:
      return verdict.mode == HF_MODE_ENFORCE ? "locked" : "would lock";
    case HF_LIMIT:
      return verdict.mode == HF_MODE_ENFORCE ? "limited" : "would limit";
    default:
      return "allowed";
  }
}

std::string action_text(const hf_verdict& verdict, Colour colour) {
  return painted(describe_action(verdict), colour_of(verdict), colour);
}

std::string event_tail(std::uint64_t id, std::uint64_t repeats, Colour colour) {
  std::string tail = fmt::format("(event {})", id);
  const std::uint64_t others = repeats & ~HF_REPEATS_DIFFER;
  if (others > 0)
    tail = fmt::format("(event {}, {} more like it{})", id, others,
                       (repeats & HF_REPEATS_DIFFER) != 0 ? ", not written" : "");
  return "  " + painted(tail, kDim, colour);
}

std::string event_text(const hf_event& event, const Compiled& policy, Colour colour) {
  std::string text = action_text(event.verdict, colour);
  text += fmt::format("  {} by {}", describe_operation(event.request), task_text(event.actor));
  if (event.object.pid != 0) text += fmt::format(" of {}", task_text(event.object));
  text += fmt::format(": {}", describe_reason(event.verdict.reason));
  const std::string rule = rule_text(event.verdict, policy);
  if (!rule.empty()) text += fmt::format("   {}", rule);
  return text + event_tail(event.id, event.repeats, colour);
}

std::string event_text(const hf_event& event, const Compiled& policy, Colour colour,
                       const EventPaths& paths) {
  const std::string text = event_text(event, policy, colour);
  if (event.request.op != HF_OP_CGROUP_ATTACH) return text;
  const auto shown = [](const std::string& path) {
    return path.empty() ? std::string("(gone)") : escape(path);
  };
  return fmt::format("{}  {} -> {}", text, shown(paths.source), shown(paths.target));
}

}  // namespace holdfast::policy
