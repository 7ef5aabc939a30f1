// SPDX-License-Identifier: Apache-2.0
#include "daemon/sessions.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "backend/calls/attributes.h"
#include "base/reason.h"
#include "daemon/session_rights.h"
#include "events/event_json.h"
#include "events/guard_event.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/proc/proc.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "policy/compile.h"
#include "policy/enum_names.h"
#include "policy/load.h"
#include "rpc/control_interface.h"

namespace holdfast::daemon {

namespace {

using rpc::Answer;
using rpc::Json;

constexpr std::uint64_t kLookNs = 500'000'000;
// The last events of a session are waited for.
constexpr std::uint64_t kEventsNs = 10'000'000'000;
// Policies that are kept for the next run with the same.
constexpr std::size_t kMaxPrepared = 16;
// A user may have so many children where they cannot be looked up by number.
constexpr std::size_t kMaxChildrenOfUser = 1024;
constexpr std::size_t kMaxPreparedOfUser = 4;
constexpr std::size_t kMaxPreparedOfUsers = 64;
// Totals of sessions that have ended, of root, and of all others.
constexpr std::size_t kMaxEnded = 4096;
constexpr std::size_t kMaxEndedOfUsers = 1024;

std::string named(const char* what) { return fmt::format("{}.{}", rpc::kControlInterface, what); }

Answer not_opened(const Error& error) {
  return {named("SessionRefused"), {{"errno", error.code}, {"message", reason_of(error)}}, false};
}

Answer mistakes(const policy::LoadResult& loaded) {
  std::string text;
  for (const policy::Diagnostic& diagnostic : loaded.diagnostics)
    text += policy::render(diagnostic);
  return {named("PolicyError"), {{"diagnostics", text}}, false};
}

std::optional<std::vector<policy::Source>> sources_of(const rpc::Call& call) {
  const auto at = call.parameters.find("sources");
  if (at == call.parameters.end() || !at->is_array()) return std::nullopt;
  std::vector<policy::Source> sources;
  for (const Json& one : *at) {
    if (!one.is_object() || !one.contains("name") || !one["name"].is_string() ||
        !one.contains("text") || !one["text"].is_string())
      return std::nullopt;
    policy::Source source{one["name"].get<std::string>(), one["text"].get<std::string>()};
    source.drop_in = one.contains("drop_in") && one["drop_in"] == true;
    sources.push_back(std::move(source));
  }
  return sources;
}

std::optional<std::uint32_t> types_of(const rpc::Call& call) {
  std::uint32_t types = 0;
  const auto at = call.parameters.find("namespaces");
  if (at == call.parameters.end()) return types;
  if (!at->is_array()) return std::nullopt;
  for (const Json& one : *at) {
    const auto type = one.is_string() ? kernel::type_by_name(one.get<std::string>()) : std::nullopt;
    if (!type) return std::nullopt;
    types |= 1u << *type;
  }
  return types;
}

// The namespaces of the task, held so that their numbers stay theirs.
struct HeldNamespaces {
  std::array<Fd, HF_NS_COUNT> fds;
  std::array<std::uint32_t, HF_NS_COUNT> inodes = {};
};

Result<HeldNamespaces> hold_namespaces(pid_t pid, std::uint32_t types) {
  HeldNamespaces held;
  for (unsigned bit = 0; bit < HF_NS_COUNT; bit++) {
    if ((types & (1u << bit)) == 0) continue;
    HF_TRY_ASSIGN(held.fds[bit], kernel::open_namespace(pid, bit));
    HF_TRY_ASSIGN(const auto file, kernel::describe_file(held.fds[bit].get()));
    held.inodes[bit] = static_cast<std::uint32_t>(file.inode);
  }
  return held;
}

Error no_such_child() {
  return Error{ESRCH, "open session", {}, "the task is not a child of the caller with one thread"};
}

// Members name themselves by their numbers when they label a socket, on kernels whose sockets have no
// labels.
bool members_are_named(const hf_profile& profile) {
  return backend::calls::socket_attributes() == backend::calls::SocketAttributes::emulated &&
         backend::calls::may_need_labels(profile);
}

// Can the processes of the caller be told by their numbers here? With `named` these have to be the
// caller's own numbers. Errors: ENOTSUP they cannot.
Result<void> sees_caller(const rpc::Call& call, bool named) {
  const Error hidden = {ENOTSUP, "open session", {}, "the caller is in another pid namespace"};
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  const auto caller =
      call.peer_fd < 0 ? Result<pid_t>(hidden) : proc.process_of_pidfd(call.peer_fd);
  if (!caller || *caller <= 0) return hidden;
  if (!named) return {};
  HF_TRY_ASSIGN(const auto task, proc.task(*caller));
  HF_TRY_ASSIGN(const auto status, task.status());
  if (status.innermost_pid != status.process)
    return Error{
        ENOTSUP, "open session", {}, "labels need the pid namespace of holdfastd before Linux 7.1"};
  return {};
}

// The pid of a child of the caller, which the caller knows by `number` in its own pid namespace.
Result<pid_t> child_of_caller(const kernel::Proc& proc, const rpc::Call& call, pid_t number) {
  if (call.peer_fd < 0) return no_such_child();
  HF_TRY_ASSIGN(const auto caller, proc.process_of_pidfd(call.peer_fd));
  if (caller <= 0) return no_such_child();
  HF_TRY_ASSIGN(const auto parent, proc.task(caller));
  HF_TRY_ASSIGN(const auto own, parent.status());
  const bool same_numbers = own.innermost_pid == own.process;
  const std::vector<pid_t> children = same_numbers ? std::vector{number} : parent.children();
  if (call.peer.uid != 0 && children.size() > kMaxChildrenOfUser) return no_such_child();
  for (const pid_t child : children) {
    const auto task = proc.task(child);
    const auto status = task ? task->status() : task.error();
    if (!status || status->parent != caller || status->ended || status->threads != 1) continue;
    if ((same_numbers ? status->process : status->innermost_pid) == number) return status->process;
  }
  return no_such_child();
}

// `sent`: the replies about what was decided that the client gets, now or soon.
Json totals_json(const backend::SessionCounts& counts, std::uint64_t sent) {
  const backend::Totals& t = counts.totals;
  Json json = {{"members", counts.members},
               {"allowed", t.allowed},
               {"denied", t.denied},
               {"audited", t.audited},
               {"locked", t.locked},
               {"errors", t.errors},
               {"lost", t.lost},
               {"guarded", t.guarded},
               {"sent", sent}};
  if (t.bpf)
    json["bpf"] = {{"tokens", t.bpf->tokens},          {"maps", t.bpf->maps},
                   {"programs", t.bpf->programs},      {"attached", t.bpf->attached},
                   {"most_maps", t.bpf->most_maps},    {"most_programs", t.bpf->most_programs},
                   {"most_memory", t.bpf->most_memory}};
  return json;
}

}  // namespace

Sessions::Sessions(Enforcement& enforcement, Send send, Finish finish, std::function<void()> report)
    : enforcement_(enforcement),
      send_(std::move(send)),
      finish_(std::move(finish)),
      report_(std::move(report)) {
  enforcement_.use_session_sink([this](const hf_event& event) { deliver(event); });
  look_again();
}

Sessions::~Sessions() { enforcement_.use_session_sink({}); }

void Sessions::look_again() {
  const bool any = !enforcement_.machine().sessions().empty();
  due_ns_ = any ? kernel::boottime_ns() + kLookNs : kNever;
}

std::optional<Answer> Sessions::answer(std::string_view method, const rpc::Call& call) {
  if (method == "PrepareSession") return prepare(call);
  if (method == "OpenSession") return open(call);
  if (method == "SessionTotals") return totals(call);
  if (method == "Sessions") return list(call);
  return std::nullopt;
}

Result<Sessions::Limits> Sessions::limits_of(const rpc::Call& call) const {
  if (call.peer.uid == 0) return Limits();
  HF_TRY_ASSIGN(const auto limits, limits_of_caller(enforcement_.policy().sessions, call));
  return Limits(limits);
}

std::shared_ptr<const Sessions::Prepared> Sessions::find_prepared(const std::string& key,
                                                                  uid_t owner) const {
  for (const auto& one : owner == 0 ? prepared_ : prepared_of_users_)
    if (one->owner == owner && (one->key == key || one->name == key)) return one;
  return nullptr;
}

// The user who has most loses the oldest one. So no user pushes out what another one has prepared.
void Sessions::keep_prepared(std::shared_ptr<const Prepared> prepared) {
  const uid_t owner = prepared->owner;
  PreparedList& list = owner == 0 ? prepared_ : prepared_of_users_;
  std::erase(list, prepared);
  list.push_front(std::move(prepared));
  if (owner == 0) {
    if (list.size() > kMaxPrepared) list.pop_back();
    return;
  }
  std::map<uid_t, std::size_t> counts;
  for (const auto& one : list) counts[one->owner]++;
  uid_t most = owner;
  for (const auto& [user, count] : counts)
    if (count > counts[most]) most = user;
  if (counts[most] <= kMaxPreparedOfUser && list.size() <= kMaxPreparedOfUsers) return;
  const auto oldest = std::ranges::find_if(list.rbegin(), list.rend(),
                                           [&](const auto& one) { return one->owner == most; });
  list.erase(std::next(oldest).base());
}

void Sessions::keep_totals(std::uint64_t id, Ended ended) {
  auto& kept = ended.owner == 0 ? ended_ : ended_of_users_;
  const std::size_t most = ended.owner == 0 ? kMaxEnded : kMaxEndedOfUsers;
  kept[id] = std::move(ended);
  if (kept.size() > most) kept.erase(kept.begin());
}

// Compiles the policy and attaches what it needs, before the client forks anything.
Answer Sessions::prepare(const rpc::Call& call) {
  const auto limits = limits_of(call);
  if (!limits) return not_opened(limits.error());
  const auto sources = sources_of(call);
  if (!sources) return rpc::invalid_parameter("sources");
  const auto profile = call.text("profile");
  if (!profile) return rpc::invalid_parameter("profile");
  const std::string mode = call.text("mode").value_or("");
  const auto mode_value = policy::value_of(policy::kModeNames, mode);
  if (!mode.empty() && !mode_value) return rpc::invalid_parameter("mode");
  // By the whole text: a digest can be met on purpose.
  const std::string key = call.parameters["sources"].dump() + '\0' + *profile + '\0' + mode + '\0' +
                          std::to_string(call.peer.uid);
  auto prepared = find_prepared(key, call.peer.uid);
  if (!prepared) {
    auto loaded = policy::load(*sources);
    if (!loaded.policy) return mistakes(loaded);
    auto made = std::make_shared<Prepared>();
    made->key = key;
    made->owner = call.peer.uid;
    made->name = fmt::format("policy-{}", ++named_);
    made->policy = std::move(loaded.policy);
    const auto number = made->policy->find_profile(*profile);
    if (!number && !profile->empty()) return {named("NotFound"), {{"what", *profile}}, false};
    made->profile = number.value_or(HF_NO_PROFILE);
    auto tables = std::make_shared<hf_tables>(*made->policy->tables);
    if (mode_value) policy::set_mode(*tables, static_cast<std::uint8_t>(*mode_value));
    made->tables = std::move(tables);
    prepared = std::move(made);
  }
  const bool named = members_are_named(prepared->tables->profiles[prepared->profile]);
  if (auto seen = sees_caller(call, named); !seen) return not_opened(seen.error());
  if (*limits) {
    if (named)
      return not_opened({ENOTSUP,
                         "open session",
                         {},
                         "before Linux 7.1, rules about labels are for root's runs"});
    if (auto fit = check_user_policy(*prepared->policy, **limits); !fit)
      return not_opened(fit.error());
  }
  const auto spec = enforcement_.spec_of(*prepared->policy, *prepared->tables);
  if (auto ready = enforcement_.machine().prepare_session(opening_of(*prepared, spec, *limits));
      !ready)
    return not_opened(ready.error());
  keep_prepared(prepared);
  return {"", {{"policy", prepared->name}}, false};
}

// Without a task. Borrows `spec`.
backend::SessionOpening Sessions::opening_of(const Prepared& prepared,
                                             const backend::MachineSpec& spec,
                                             const Limits& limits) {
  backend::SessionOpening opening;
  opening.policy = &spec;
  opening.key = prepared.key;
  opening.profile = prepared.profile;
  opening.owner = prepared.owner;
  opening.user = limits;
  return opening;
}

Answer Sessions::open(const rpc::Call& call) {
  if (!call.more) return {"org.varlink.service.ExpectedMore", Json::object(), false};
  const auto pid = call.small_number("pid");
  if (!pid) return rpc::invalid_parameter("pid");
  const auto types = types_of(call);
  if (!types) return rpc::invalid_parameter("namespaces");
  const auto key = call.text("policy");
  const auto limits = limits_of(call);
  if (!limits) return not_opened(limits.error());
  const auto prepared = key ? find_prepared(*key, call.peer.uid) : nullptr;
  if (!prepared) return {named("NotFound"), {{"what", "the prepared policy"}}, false};
  const auto begun = begin(*prepared, call, *limits, *pid, *types);
  if (!begun) return not_opened(begun.error());
  sessions_[*begun] = {prepared, call.peer.uid, call.connection};
  look_again();
  return {"", {{"session", *begun}}, true};
}

Result<std::uint64_t> Sessions::begin(const Prepared& prepared, const rpc::Call& call,
                                      const Limits& limits, pid_t number, std::uint32_t types) {
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  // Its parent waits for the answer, so nothing reaps it and its number stays its own.
  HF_TRY_ASSIGN(const auto pid, child_of_caller(proc, call, number));
  HF_TRY_ASSIGN(const auto namespaces, hold_namespaces(pid, types));
  HF_TRY_ASSIGN(const auto still, child_of_caller(proc, call, number));
  if (still != pid) return no_such_child();
  const auto spec = enforcement_.spec_of(*prepared.policy, *prepared.tables);
  backend::SessionOpening opening = opening_of(prepared, spec, limits);
  opening.tid = pid;
  opening.namespaces = namespaces.inodes;
  opening.channel_cookie = call.number("channel").value_or(0);
  return enforcement_.machine().open_session(opening);
}

Answer Sessions::totals(const rpc::Call& call) {
  const auto id = call.number("session");
  if (!id) return rpc::invalid_parameter("session");
  const Answer unknown = {named("NotFound"), {{"what", fmt::format("session {}", *id)}}, false};
  auto& kept = call.peer.uid == 0 ? ended_ : ended_of_users_;
  if (const auto ended = kept.find(*id); ended != kept.end()) {
    if (ended->second.owner != call.peer.uid) return unknown;
    Answer answer{"", std::move(ended->second.totals), false};
    kept.erase(ended);
    return answer;
  }
  if (const auto open = enforcement_.machine().session(*id);
      call.peer.uid != 0 && (!open || open->owner != call.peer.uid))
    return unknown;
  // What was decided before is sent before.
  if (auto sent = deliver_all(); !sent) return not_opened(sent.error());
  const auto counts = enforcement_.machine().session(*id);
  if (!counts) return unknown;
  const auto known = sessions_.find(*id);
  if (known == sessions_.end()) return {"", totals_json(*counts, 0), false};
  return {"", totals_json(*counts, known->second.sent + outstanding(known->second, *counts)),
          false};
}

Answer Sessions::list(const rpc::Call& call) const {
  Json all = Json::array();
  for (const std::uint64_t id : enforcement_.machine().sessions()) {
    const auto counts = enforcement_.machine().session(id);
    if (!counts || (call.peer.uid != 0 && counts->owner != call.peer.uid)) continue;
    const auto known = sessions_.find(id);
    const auto& by = known == sessions_.end() ? nullptr : known->second.by;
    const bool container = counts->container_of != 0;
    const std::string name = container
                                 ? enforcement_.profile_name(counts->container_of, counts->profile)
                                 : std::string(by ? by->policy->profiles[by->profile] : "");
    all.push_back({{"session", id},
                   {"uid", counts->owner},
                   {"members", counts->members},
                   {"forks_refused", counts->forks_refused},
                   {"profile", by || !name.empty() ? Json(name) : Json()},
                   {"container", container},
                   {"client", known != sessions_.end() && known->second.client != 0}});
  }
  return {"", {{"sessions", std::move(all)}}, false};
}

// A program that is preempted while it writes an event holds up those behind it in the ring buffer.
std::uint64_t Sessions::outstanding(const Session& session, const backend::SessionCounts& counts) {
  return counts.events > session.events ? counts.events - session.events : 0;
}

void Sessions::deliver(const hf_event& event) {
  const auto found = sessions_.find(event.session);
  if (found == sessions_.end()) {
    if (others_) others_(event);
    return;
  }
  found->second.events++;
  if (!paths_) {
    auto root = kernel::open_cgroup_root(enforcement_.cgroup_root());
    paths_.emplace(root ? *std::move(root) : Fd());
  }
  send(event.session, policy::event_json(event, *found->second.by->policy, paths_->of(event)));
}

void Sessions::send(std::uint64_t id, const std::string& event) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.client == 0) return;
  Session& session = found->second;
  const Json reply = {{"event", Json::parse(event, nullptr, /*allow_exceptions=*/false)}};
  if (send_(session.client, reply))
    session.sent++;
  else
    session.client = 0;
}

// All that the ring buffer holds now. Bounded, since members may go on.
Result<void> Sessions::deliver_all() {
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; round++) {
    HF_TRY(enforcement_.dispatch());
    if (enforcement_.machine().drained()) break;
  }
  report_();
  return {};
}

void Sessions::refused(const hf_guard_event& refusal) {
  send(refusal.session, policy::guard_event_json(refusal));
}

bool Sessions::waits_for_events(Session& session, const backend::SessionCounts& counts) {
  if (session.client == 0 || outstanding(session, counts) == 0) return false;
  if (session.since_ns == 0) session.since_ns = kernel::boottime_ns();
  return kernel::boottime_ns() < session.since_ns + kEventsNs;
}

void Sessions::tick() {
  if (kernel::boottime_ns() < due_ns_) return;
  bool read = false;
  for (const std::uint64_t id : enforcement_.machine().sessions()) {
    const auto counts = enforcement_.machine().session(id);
    if (!counts || counts->members != 0) continue;
    // What its tasks were told is sent before the session goes.
    if (!std::exchange(read, true) && !deliver_all()) break;
    const auto known = sessions_.find(id);
    if (known != sessions_.end() && waits_for_events(known->second, *counts)) continue;
    if (!enforcement_.machine().close_session(id)) continue;
    if (known == sessions_.end()) continue;
    keep_totals(id, {totals_json(*counts, known->second.sent), known->second.owner});
    // A connection of root may stay as it is.
    if (known->second.owner != 0 && known->second.client != 0) finish_(known->second.client);
    sessions_.erase(known);
  }
  look_again();
}

}  // namespace holdfast::daemon
