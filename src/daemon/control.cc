// SPDX-License-Identifier: Apache-2.0
#include "daemon/control.h"
#include "bundle/machine.h"

#include <fmt/core.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "daemon/label_service.h"
#include "daemon/metrics.h"
#include "daemon/tasks.h"
#include "kernel/files/atomic_file.h"
#include "kernel/process/process.h"
#include "policy/enum_names.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {

namespace {

using rpc::Answer;
using rpc::Json;

constexpr std::uint64_t kRecentNs = 1'000'000'000;
constexpr char kRegistry[] = "/run/varlink/registry";

std::string named(const char* what) { return fmt::format("{}.{}", rpc::kControlInterface, what); }

Answer failed(const Error& error) {
  if (error.code == 0) return {named("PolicyError"), {{"diagnostics", error.detail}}, false};
  if (error.code == EPERM) return {named("Sealed"), Json::object(), false};
  if (error.code == ENOENT)
    return {
        named("NotFound"), {{"what", error.object.empty() ? error.detail : error.object}}, false};
  return {named("Failed"), {{"message", error.message()}}, false};
}

// The reply about a change: the live generation, and the one that comes back without a
// confirmation.
Answer outcome(const Result<PolicyLife::Outcome>& live, const PolicyLife& life) {
  if (!live) return failed(live.error());
  Json parameters = {{"generation", live->generation}, {"changed", live->changed}};
  if (const auto left = life.left_ms()) {
    parameters["confirm_ms"] = *left;
    parameters["previous"] = life.previous();
  }
  return {"", std::move(parameters), false};
}

// The directories where systemd's tools look for services. Clients can connect without them.
void announce(const std::string& socket) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(kRegistry, ignored)) return;
  const std::string link = fmt::format("{}/{}", kRegistry, rpc::kControlInterface);
  // Replace only a symbolic link. A file of another program stays.
  if (std::filesystem::is_symlink(std::filesystem::symlink_status(link, ignored)))
    std::filesystem::remove(link, ignored);
  std::filesystem::create_symlink(socket, link, ignored);
}

}  // namespace

Result<std::unique_ptr<Control>> Control::create(Enforcement& enforcement, const Options& options) {
  std::unique_ptr<Control> control(new Control(enforcement, options));
  const std::string directory = options.socket.substr(0, options.socket.rfind('/'));
  if (!directory.empty()) HF_TRY(kernel::make_directories(directory));
  const auto answer = [self = control.get()](const rpc::Call& call) { return self->answer(call); };
  HF_TRY_ASSIGN(
      control->server_,
      rpc::Server::create(options.socket, {rpc::kControlInterface, rpc::control_description()},
                          answer, rpc::helper_processes()));
  // Fails before Linux 7.1, whose sockets keep no attributes.
  if (auto labelled = kernel::label_socket_file(options.socket, "user.varlink", "entrypoint");
      !labelled && labelled.error().code != EPERM && labelled.error().code != ENOTSUP)
    return std::move(labelled).error();
  if (options.socket == rpc::kControlSocket) announce(options.socket);
  return control;
}

void Control::send_event(const std::string& json) {
  if (monitors_.empty()) return;
  const Json event = {{"event", Json::parse(json, nullptr, /*allow_exceptions=*/false)}};
  std::erase_if(monitors_,
                [&](rpc::ConnectionId monitor) { return !server_->send(monitor, event); });
}

Answer Control::answer(const rpc::Call& call) {
  if (call.method == named("Status")) return fresh_enough(call, status_, &Control::status);
  if (call.method == named("Metrics")) return fresh_enough(call, metrics_, &Control::metrics);
  const std::string_view method = std::string_view(call.method).substr(call.method.rfind('.') + 1);
  if (auto label = answer_label_call(enforcement_, method, call)) return *std::move(label);
  if (auto container = containers_.answer(method, call)) return *std::move(container);
  if (auto session = sessions_.answer(method, call)) return *std::move(session);
  if (call.peer.uid != 0) return {"org.varlink.service.PermissionDenied", Json::object(), false};
  if (call.method == named("Tasks")) return tasks();
  if (call.method == named("Policy")) return policy();
  if (call.method == named("Monitor")) {
    if (!call.more) return {"org.varlink.service.ExpectedMore", Json::object(), false};
    monitors_.insert(call.connection);
    return {"", Json::object(), true};
  }
  return change(call);
}

// These methods walk all maps or profiles. The cache limits the work that a user can cause.
Answer Control::fresh_enough(const rpc::Call& call, Recent& recent,
                             Answer (Control::*make)() const) const {
  if (call.peer.uid == 0) return (this->*make)();
  const std::uint64_t now_ns = kernel::boottime_ns();
  if (recent.since_ns == 0 || now_ns >= recent.since_ns + kRecentNs)
    recent = {(this->*make)(), now_ns};
  return recent.answer;
}

Answer Control::change(const rpc::Call& call) {
  if (call.method == named("Reload")) return reload(call.parameters);
  if (call.method == named("SetMode")) return set_mode(call.parameters);
  if (call.method == named("Rollback"))
    return outcome(enforcement_.rollback(), enforcement_.life());
  if (call.method == named("Confirm")) {
    const auto confirmed = enforcement_.confirm();
    return confirmed ? Answer{} : failed(confirmed.error());
  }
  if (call.method == named("Stage")) {
    const auto staged = enforcement_.stage();
    return staged ? Answer{} : failed(staged.error());
  }
  return {"org.varlink.service.MethodNotFound", {{"method", call.method}}, false};
}

Answer Control::reload(const Json& parameters) {
  std::optional<std::uint64_t> confirm_ms;
  if (const auto at = parameters.find("confirm_ms"); at != parameters.end() && !at->is_null()) {
    if (!at->is_number_unsigned() || at->get<std::uint64_t>() == 0 ||
        at->get<std::uint64_t>() > std::uint64_t{1} << 40)
      return rpc::invalid_parameter("confirm_ms");
    confirm_ms = at->get<std::uint64_t>();
  }
  return outcome(enforcement_.reload(confirm_ms), enforcement_.life());
}

Answer Control::set_mode(const Json& parameters) {
  const auto profile = parameters.find("profile");
  if (profile == parameters.end() || !profile->is_string())
    return rpc::invalid_parameter("profile");
  std::optional<std::uint8_t> mode;
  if (const auto at = parameters.find("mode"); at != parameters.end() && !at->is_null()) {
    const auto known = at->is_string()
                           ? policy::value_of(policy::kModeNames, at->get<std::string>())
                           : std::nullopt;
    if (!known) return rpc::invalid_parameter("mode");
    mode = static_cast<std::uint8_t>(*known);
  }
  return outcome(enforcement_.set_mode(profile->get<std::string>(), mode), enforcement_.life());
}

Answer Control::status() const {
  const Generation& live = enforcement_.live();
  const policy::Compiled& policy = enforcement_.policy();
  Json profiles = Json::array();
  for (std::uint16_t i = 1; i < policy.profiles.size(); i++) {
    const auto changed = live.modes.find(policy.profiles[i]);
    const std::uint8_t mode =
        changed == live.modes.end() ? policy.tables->profiles[i].mode : changed->second;
    Json cgroups = Json::array();
    for (const policy::Binding& binding : policy.bindings)
      if (binding.profile == i) cgroups.push_back(binding.cgroup);
    profiles.push_back(
        {{"name", policy.profiles[i]},
         {"mode", policy::name_of(policy::kModeNames, mode)},
         {"file_mode", policy::name_of(policy::kModeNames, policy.tables->profiles[i].mode)},
         {"mode_set", changed != live.modes.end()},
         {"cgroups", std::move(cgroups)}});
  }
  const backend::Totals t = enforcement_.totals();
  Json parameters = {{"version", HOLDFAST_VERSION},
                     {"generation", live.number},
                     {"previous", enforcement_.life().previous()},
                     {"staging", enforcement_.life().staging()},
                     {"adopted", enforcement_.adopted()},
                     {"sealed", enforcement_.sealed()},
                     {"profiles", std::move(profiles)},
                     {"bad_files", bad_files()},
                     {"totals",
                      {{"allowed", t.allowed},
                       {"denied", t.denied},
                       {"audited", t.audited},
                       {"errors", t.errors},
                       {"lost", t.lost}}}};
  if (const auto left = enforcement_.life().left_ms()) parameters["confirm_ms"] = *left;
  return {"", std::move(parameters), false};
}

Json Control::bad_files() const {
  Json list = Json::array();
  for (const policy_dirs::BadFile& bad : enforcement_.bad_files())
    list.push_back({{"path", bad.path},
                    {"fate", policy_dirs::to_string(bad.fate)},
                    {"mistakes", bad.mistakes}});
  return list;
}

Answer Control::policy() const {
  const Generation& live = enforcement_.live();
  Json sources = Json::array();
  for (const policy::Source& source : live.sources)
    sources.push_back({{"name", source.name}, {"text", source.text}, {"drop_in", source.drop_in}});
  Json modes = Json::array();
  for (const auto& [profile, mode] : live.modes)
    modes.push_back({{"profile", profile}, {"mode", policy::name_of(policy::kModeNames, mode)}});
  return {"",
          {{"generation", live.number},
           {"known", enforcement_.life().knows_live()},
           {"sources", std::move(sources)},
           {"modes", std::move(modes)},
           {"directories", options_.dirs.paths},
           {"bad_files", bad_files()}},
          false};
}

Answer Control::metrics() const {
  const auto stats = enforcement_.stats();
  if (!stats) return failed(stats.error());
  DaemonState state = {enforcement_.live().number,      enforcement_.policy().profiles.size() - 1,
                       enforcement_.bad_files().size(), enforcement_.sealed(),
                       enforcement_.adopted(),          enforcement_.totals()};
  state.is_pending = enforcement_.life().left_ms().has_value();
  state.policy_digest = policy::digest_text(enforcement_.policy().digest);
  state.bundle = bundle_state(options_.state_dir, options_.dirs.paths.back());
  if (const auto record = bundle::read_record(options_.state_dir))
    state.policy_name = bundle::policy_name(*record, state.policy_digest);
  return {"", {{"exposition", exposition(state, *stats)}}, false};
}

Answer Control::tasks() const {
  Json list = Json::array();
  for (const HeldTask& task : held_tasks(options_.cgroup_root, enforcement_.policy()))
    list.push_back({{"pid", task.pid},
                    {"comm", task.comm},
                    {"cgroup", task.cgroup},
                    {"profile", enforcement_.policy().profiles[task.profile]}});
  return {"", {{"tasks", std::move(list)}}, false};
}

}  // namespace holdfast::daemon
