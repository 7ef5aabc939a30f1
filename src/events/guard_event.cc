// SPDX-License-Identifier: Apache-2.0
#include "events/guard_event.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "events/json_fields.h"

namespace holdfast::policy {

namespace {

using Json = nlohmann::ordered_json;

// The start of each line of guard_event_json().
constexpr std::string_view kStart = R"({"version":1,"guard":)";

struct What {
  std::string_view word;
  std::string_view text;
  std::string_view why;  // the reason of the refusal
};

constexpr std::string_view kObjects =
    "a process with holdfast's programs, maps or links can end or change the enforcement";
constexpr std::string_view kProcess =
    "a process that can end, stop, starve or trace holdfast can end the enforcement";
constexpr std::string_view kPins = "the pins keep the enforcement in the kernel";
constexpr std::string_view kFiles = "these files determine what is enforced, and by which program";

constexpr std::array<What, HF_GUARD_COUNT> kWhat = {{
    {"unknown", "an attack on holdfast", "it would have ended or changed the enforcement"},
    {"by-id", "a program, map or link by its id", kObjects},
    {"map", "a map of holdfast", kObjects},
    {"program", "a program of holdfast", kObjects},
    {"pin", "a change of holdfast's pins", kPins},
    {"umount", "unmounting holdfast's pins", kPins},
    {"signal", "a signal to holdfast", kProcess},
    {"trace", "tracing holdfast", kProcess},
    {"limit", "limits of holdfast or of a process outside", kProcess},
    {"sysctl", "a write to kernel.ftrace_enabled or kernel.cad_pid",
     "the first turns off every BPF program that enforces (before Linux 7.3), the second makes the "
     "kernel signal a process"},
    {"files", "a change of guarded files: the policy, holdfastd, its state or its units", kFiles},
    {"mount", "mounting over holdfast's files", kFiles},
    {"terminal", "typing into a terminal by ioctl",
     "the shell outside would read that input and execute it"},
    {"mount-namespace", "entering another mount namespace",
     "the profile has cgroup rules, and files of cgroups may be writable there"},
    {"schedule", "scheduling or memory placement of holdfast", kProcess},
    {"cgroup", "a move of holdfast, or a control file of a cgroup that it is in", kProcess},
    {"process", "a write to /proc/PID of holdfast", kProcess},
    {"any-process", "ending or changing an arbitrary process", kProcess},
    {"helper", "making the kernel start a program",
     "the kernel would start it as root, outside, where no policy applies to it"},
    {"container-runtime", "tracing the runtime of its container",
     "the rules are not about what the runtime does until the container's program is executed"},
}};

// Indexed by HF_HELPER_*.
constexpr std::array<std::string_view, HF_HELPER_COUNT> kHelpers = {
    "",
    "core_pattern",
    "modprobe",
    "uevent_helper",
    "poweroff_cmd",
    "usermodehelper",
    "hb_ctl_path",
    "release_agent",
    "notify_on_release",
    "machinecheck",
    "nfsv4.cache_getent",
    "nfsd.cltrack_prog",
    "drbd.usermode_helper",
    "v86d",
    "firmware_class.path",
    "binfmt_misc",
    "request-key",
    "module",
    "other",
};

hf_verdict verdict_of(const hf_guard_event& event) {
  hf_verdict verdict = {};
  verdict.action = HF_DENY;
  verdict.mode = event.audited ? HF_MODE_AUDIT : HF_MODE_ENFORCE;
  return verdict;
}

const What& what_of(std::uint32_t what) { return kWhat[what < kWhat.size() ? what : 0]; }

}  // namespace

std::string_view helper_name(const hf_guard_event& event) {
  if (event.what != HF_GUARD_HELPER || event.detail >= kHelpers.size()) return {};
  return kHelpers[event.detail];
}

std::string_view guard_kind_name(std::uint32_t what) { return what_of(what).word; }

std::string guard_event_text(const hf_guard_event& event, Colour colour) {
  const std::string_view helper = helper_name(event);
  const std::string detail = helper.empty() ? std::to_string(event.detail) : std::string(helper);
  const std::string line =
      fmt::format("{}  {} ({}) by {}[{}]", action_text(verdict_of(event), colour),
                  what_of(event.what).text, detail, escape(comm_of(event.actor)), event.actor.pid);
  return line + event_tail(event.id, event.repeats, colour);
}

std::string guard_event_json(const hf_guard_event& event) {
  Json json = {{"version", 1}, {"guard", what_of(event.what).word}, {"id", event.id}};
  json["detail"] = event.detail;
  if (const std::string_view helper = helper_name(event); !helper.empty()) json["helper"] = helper;
  json["time_ns"] = event.time_ns;
  json["verdict"] = "deny";
  json["enforced"] = event.audited == 0;
  if (!event.audited) json["errno"] = "EPERM";
  json["pid"] = event.actor.tgid;
  json["tid"] = event.actor.pid;
  json["uid"] = event.actor.uid;
  json["comm"] = comm_of(event.actor);
  json["repeats"] = event.repeats & ~HF_REPEATS_DIFFER;
  if ((event.repeats & HF_REPEATS_DIFFER) != 0) json["repeats_differ"] = true;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_guard_event(std::string_view line) { return line.starts_with(kStart); }

Result<hf_guard_event> guard_event_from_json(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("guard"))
    return Error{EINVAL, "read event", {}, "not a refusal by holdfast's guard"};
  hf_guard_event event = {};
  const std::string word = text_in(json, "guard");
  const auto known = std::ranges::find(kWhat, word, &What::word);
  if (known != kWhat.end()) event.what = static_cast<__u32>(known - kWhat.begin());
  event.id = number_in<__u64>(json, "id");
  event.detail = number_in<__u32>(json, "detail");
  event.time_ns = number_in<__u64>(json, "time_ns");
  event.repeats = number_in<__u64>(json, "repeats");
  if (json.value("repeats_differ", Json()) == true) event.repeats |= HF_REPEATS_DIFFER;
  const auto enforced = json.find("enforced");
  event.audited = enforced != json.end() && *enforced == Json(false) ? 1 : 0;
  event.actor.tgid = number_in<__u32>(json, "pid");
  event.actor.pid = number_in<__u32>(json, "tid");
  event.actor.uid = number_in<__u32>(json, "uid");
  const std::string comm = text_in(json, "comm");
  std::memcpy(event.actor.comm, comm.data(), std::min(comm.size(), sizeof(event.actor.comm) - 1));
  return event;
}

std::string explain_guard_event(const hf_guard_event& event) {
  return fmt::format(
      "{}: {}\n"
      "  rule    none: holdfast refuses this to every confined task\n"
      "  change  no statement of a policy would change that\n",
      event.audited ? "deny, but only audited, so it is performed" : "deny (EPERM)",
      what_of(event.what).why);
}

}  // namespace holdfast::policy
