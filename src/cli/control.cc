// SPDX-License-Identifier: Apache-2.0
// Calls to holdfastd: status, monitor, stage, reload, confirm, rollback and mode of `holdfast`.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "events/event_text.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using nlohmann::json;

std::string method(std::string_view name) {
  return fmt::format("{}.{}", rpc::kControlInterface, name);
}

std::optional<rpc::Client> connect(const ControlOptions& options) {
  auto client = rpc::Client::connect(options.socket);
  if (client) return *std::move(client);
  fmt::print(stderr, "holdfast: {}: is holdfastd running?\n", client.error().message());
  return std::nullopt;
}

// Prints the error of the reply and returns the exit code for it.
int refused(const rpc::Reply& reply) {
  const auto text = [&](const char* key) { return reply.parameters.value(key, std::string()); };
  if (reply.error == method("PolicyError")) {
    fmt::print(stderr, "{}holdfast: the policy in force stays\n", text("diagnostics"));
    return kExitUsage;
  }
  if (reply.error == method("Sealed"))
    fmt::print(stderr, "holdfast: it is sealed (holdfastd --unseal)\n");
  else if (reply.error == "org.varlink.service.PermissionDenied")
    fmt::print(stderr, "holdfast: only root may do this\n");
  else if (reply.error == method("NotFound"))
    fmt::print(stderr, "holdfast: {}: not found\n", escape(text("what")));
  else if (reply.error == method("Failed"))
    fmt::print(stderr, "holdfast: {}\n", text("message"));
  else
    fmt::print(stderr, "holdfast: {} {}\n", reply.error, reply.parameters.dump());
  return kExitFailed;
}

// Calls a method of holdfastd. Returns an exit code; `reply` is set only if it is kExitOk.
int call(const ControlOptions& options, std::string_view name, const json& parameters,
         json& reply) {
  auto client = connect(options);
  if (!client) return kExitFailed;
  const auto got = client->call(method(name), parameters);
  if (!got) {
    fmt::print(stderr, "holdfast: {}\n", got.error().message());
    return kExitFailed;
  }
  if (!got->error.empty()) return refused(*got);
  reply = got->parameters;
  return kExitOk;
}

int change(const ControlOptions& options, std::string_view name, const json& parameters) {
  json reply;
  const int status = call(options, name, parameters, reply);
  if (status != kExitOk) return status;
  if (options.format == "json") {
    fmt::print("{}\n", reply.dump());
    return status;
  }
  if (!reply.contains("generation")) return status;
  const std::string generation = reply["generation"].dump();
  const auto left_ms = reply.find("confirm_ms");
  const bool waits = left_ms != reply.end() && left_ms->is_number_unsigned();
  if (waits)
    fmt::print(
        "policy generation {} is live; in {} s the policy of generation {} comes back unless "
        "confirmed\n",
        generation, left_ms->get<std::uint64_t>() / 1000, reply.value("previous", 0ull));
  else if (!reply.value("changed", true))
    fmt::print(
        "policy generation {} is live and is the policy of the files: nothing has changed, and "
        "there is nothing to confirm.\nBefore an edit, run holdfast stage, so that changed files "
        "wait for a reload; holdfast rollback makes the previous policy live.\n",
        generation);
  else
    fmt::print("policy generation {} is live\n", generation);
  return status;
}

// What has become of a policy file with mistakes.
std::string_view fate_text(std::string_view fate) {
  if (fate == "left-out") return "NOT IN FORCE: it has mistakes (holdfast policy list)";
  if (fate == "earlier-text")
    return "has mistakes; its text of before is in force (holdfast policy list)";
  return "has mistakes; the policy in force is from before (holdfast policy list)";
}

std::string mode_note(const json& profile) {
  if (!profile.value("mode_set", false)) return "";
  return fmt::format("  (set by hand; the file says {})", profile.value("file_mode", "?"));
}

void print_status(const json& s) {
  fmt::print("holdfastd {}, policy generation {}{}{}\n", s.value("version", "?"),
             s.value("generation", 0), s.value("adopted", false) ? ", adopted" : "",
             s.value("sealed", false) ? ", sealed" : "");
  if (s.contains("confirm_ms"))
    fmt::print("reverts in {} s to generation {} unless confirmed\n",
               s["confirm_ms"].get<long>() / 1000, s.value("previous", 0ull));
  else if (s.value("staging", false))
    fmt::print("changed files wait for holdfast reload\n");
  for (const json& bad : s.value("bad_files", json::array()))
    fmt::print("{}: {}\n", escape(bad.value("path", "?")), fate_text(bad.value("fate", "")));
  const json totals = s.value("totals", json::object());
  fmt::print("{} allowed, {} denied, {} would be denied, {} errors, {} events lost\n",
             totals.value("allowed", 0ull), totals.value("denied", 0ull),
             totals.value("audited", 0ull), totals.value("errors", 0ull),
             totals.value("lost", 0ull));
  for (const json& profile : s.value("profiles", json::array())) {
    std::string cgroups;
    for (const json& cgroup : profile.value("cgroups", json::array()))
      cgroups += fmt::format(" {}", escape(cgroup.get<std::string>()));
    fmt::print("  {:<20} {:<8}{}{}\n", profile.value("name", "?"), profile.value("mode", "?"),
               cgroups, mode_note(profile));
  }
}

// Renders the JSON object of an event as one line of text.
std::string pretty(const json& e) {
  const auto text = [&](const char* key) {
    const auto at = e.find(key);
    return at == e.end() || !at->is_string() ? std::string() : escape(at->get<std::string>());
  };
  const bool enforced = e.value("enforced", true);
  const std::string verdict = text("verdict");
  std::string line = verdict == "deny" ? (enforced ? "denied" : "would deny") : verdict;
  std::string what = text("way");
  if (e.contains("guard")) what = fmt::format("guard: {}", text("guard"));
  if (e.contains("helper")) what += fmt::format(" ({})", text("helper"));
  line += fmt::format("  {} by {}[{}]", what, text("comm"), e.value("tid", 0));
  if (!text("reason").empty()) line += fmt::format(": {}", text("reason"));
  if (const auto rule = e.find("rule");
      rule != e.end() && rule->is_object() && rule->contains("file"))
    line += fmt::format("   {}:{}:{} {} = {}", escape(rule->value("file", "")),
                        rule->value("line", 0), rule->value("column", 0), rule->value("key", ""),
                        escape(rule->value("text", "")));
  if (!text("source_path").empty() || !text("target_path").empty())
    line += fmt::format("  {} -> {}", text("source_path"), text("target_path"));
  const auto repeats = e.value("repeats", 0ull);
  std::string tail = e.contains("id") ? fmt::format("event {}", e["id"].dump()) : "";
  if (repeats > 0)
    tail += fmt::format("{}{} more {}", tail.empty() ? "" : ", ", repeats,
                        e.value("repeats_differ", false) ? "like it, not written" : "like it");
  return tail.empty() ? line : fmt::format("{}  ({})", line, tail);
}

bool wanted(const json& event, const MonitorOptions& options) {
  if (!options.profile.empty() && event.value("profile", std::string()) != options.profile)
    return false;
  return options.verdict.empty() || event.value("verdict", std::string()) == options.verdict;
}

}  // namespace

int status(const ControlOptions& options) {
  json reply;
  const int code = call(options, "Status", json::object(), reply);
  if (code != kExitOk) return code;
  if (options.format == "json")
    fmt::print("{}\n", reply.dump());
  else
    print_status(reply);
  return reply.value("bad_files", json::array()).empty() ? kExitOk : kExitFailed;
}

int monitor(const MonitorOptions& options) {
  auto client = connect(options);
  if (!client) return kExitFailed;
  const auto ended =
      client->stream(method("Monitor"), json::object(), [&](const rpc::Reply& reply) {
        const json event = reply.parameters.value("event", json::object());
        if (!wanted(event, options)) return true;
        fmt::print("{}\n", options.format == "json"
                               ? event.dump(-1, ' ', false, json::error_handler_t::replace)
                               : pretty(event));
        return std::fflush(stdout) == 0;
      });
  if (ended && ended->error.empty()) return kExitOk;
  if (ended) return refused(*ended);
  fmt::print(stderr, "holdfast: {}\n", ended.error().message());
  return kExitFailed;
}

int reload(const ReloadOptions& options) {
  json parameters = json::object();
  if (!options.confirm.empty()) {
    const auto confirm_ms = milliseconds(options.confirm);
    if (!confirm_ms || *confirm_ms == 0) {
      fmt::print(stderr, "holdfast reload: '{}' is not a duration: 60s, 5min\n", options.confirm);
      return kExitUsage;
    }
    parameters["confirm_ms"] = *confirm_ms;
  }
  return change(options, "Reload", parameters);
}

int confirm(const ControlOptions& options) { return change(options, "Confirm", json::object()); }
int stage(const ControlOptions& options) { return change(options, "Stage", json::object()); }
int rollback(const ControlOptions& options) { return change(options, "Rollback", json::object()); }

int set_mode(const ModeOptions& options) {
  json parameters = {{"profile", options.profile}};
  if (options.mode != "policy") parameters["mode"] = options.mode;
  return change(options, "SetMode", parameters);
}

}  // namespace holdfast::cli
