// SPDX-License-Identifier: Apache-2.0
#include "policy/refusal.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace holdfast::policy {

namespace {

using Json = nlohmann::ordered_json;

// How each line of refusal_json() begins.
constexpr std::string_view kStart = R"({"version":1,"guard":)";

struct What {
  std::string_view word;
  std::string_view text;
  std::string_view why;  // it is refused
};

constexpr std::string_view kObjects =
    "whoever has holdfast's programs, maps or links can end or rewrite what is enforced";
constexpr std::string_view kProcess =
    "whoever can end, stop, starve or trace holdfast can end what it enforces";
constexpr std::string_view kPins = "what is pinned is what keeps the enforcement in the kernel";
constexpr std::string_view kFiles = "they say what is enforced";

constexpr std::array<What, HF_GUARD_COUNT> kWhat = {{
    {"unknown", "an attempt on holdfast", "it would have ended or changed what is enforced"},
    {"by-id", "a program, map or link by its id", kObjects},
    {"map", "a map of holdfast", kObjects},
    {"program", "a program of holdfast", kObjects},
    {"pin", "a change of holdfast's pins", kPins},
    {"umount", "unmounting holdfast's pins", kPins},
    {"signal", "a signal to holdfast", kProcess},
    {"trace", "tracing holdfast", kProcess},
    {"limit", "limits of holdfast", kProcess},
    {"sysctl", "a write to kernel.ftrace_enabled or kernel.cad_pid",
     "the one silences every BPF program that enforces, before 7.3, the other has the kernel "
     "signal a process"},
    {"files", "a change of the policy's files or holdfastd's state", kFiles},
    {"mount", "mounting over holdfast's files", kFiles},
    {"schedule", "scheduling or memory placement of holdfast", kProcess},
    {"cgroup", "a move of holdfast, or a control file of a cgroup that it is in", kProcess},
    {"process", "a write to /proc/PID of holdfast", kProcess},
    {"any-process", "what ends or changes any process", kProcess},
}};

const What& what_of(std::uint32_t what) { return kWhat[what < kWhat.size() ? what : 0]; }

template <typename T>
T number(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_number_unsigned() ? at->get<T>() : T{0};
}

std::string text(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace

std::string_view refusal_word(std::uint32_t what) { return what_of(what).word; }

std::string refusal_text(const hf_guard_event& event, Colour colour) {
  const std::string line =
      fmt::format("{}  {} ({}) by {}[{}]", refused_word(colour), what_of(event.what).text,
                  event.detail, escape(comm_of(event.actor)), event.actor.pid);
  return line + event_tail(event.id, event.repeats, colour);
}

std::string refusal_json(const hf_guard_event& event) {
  const Json json = {{"version", 1},
                     {"guard", what_of(event.what).word},
                     {"id", event.id},
                     {"detail", event.detail},
                     {"time_ns", event.time_ns},
                     {"verdict", "deny"},
                     {"enforced", true},
                     {"errno", "EPERM"},
                     {"pid", event.actor.tgid},
                     {"tid", event.actor.pid},
                     {"uid", event.actor.uid},
                     {"comm", comm_of(event.actor)},
                     {"repeats", event.repeats}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_refusal(std::string_view line) { return line.starts_with(kStart); }

Result<hf_guard_event> refusal_from_json(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("guard"))
    return Error{EINVAL, "read event", {}, "not a refusal by holdfast's guard"};
  hf_guard_event event = {};
  const std::string word = text(json, "guard");
  const auto known = std::ranges::find(kWhat, word, &What::word);
  if (known != kWhat.end()) event.what = static_cast<__u32>(known - kWhat.begin());
  event.id = number<__u64>(json, "id");
  event.detail = number<__u32>(json, "detail");
  event.time_ns = number<__u64>(json, "time_ns");
  event.repeats = number<__u64>(json, "repeats");
  event.actor.tgid = number<__u32>(json, "pid");
  event.actor.pid = number<__u32>(json, "tid");
  event.actor.uid = number<__u32>(json, "uid");
  const std::string comm = text(json, "comm");
  std::memcpy(event.actor.comm, comm.data(), std::min(comm.size(), sizeof(event.actor.comm) - 1));
  return event;
}

std::string explain_refusal(const hf_guard_event& event) {
  return fmt::format(
      "deny (EPERM): {}\n"
      "  rule    none: holdfast refuses this to whoever it holds, by itself\n"
      "  change  no statement of a policy would change that\n",
      what_of(event.what).why);
}

}  // namespace holdfast::policy
