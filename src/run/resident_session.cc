// SPDX-License-Identifier: Apache-2.0
#include "run/resident_session.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "events/event_json.h"
#include "events/guard_event.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/wakeup.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"
#include "run/label_calls.h"

namespace holdfast::run {

namespace {

using rpc::Reply;
constexpr int kPatienceMs = 10'000;
using Json = nlohmann::json;

std::string named(const char* method) { return std::string(rpc::kControlInterface) + "." + method; }

// The reason of an error reply. A daemon of an older version has no sessions.
Error refusal_of(const Reply& reply) {
  const auto text = [&](const char* name) {
    return reply.parameters.contains(name) && reply.parameters[name].is_string()
               ? reply.parameters[name].get<std::string>()
               : std::string();
  };
  int code = 0;
  if (reply.error == named("SessionRefused")) code = reply.parameters.value("errno", 0);
  std::string why = text("message");
  if (why.empty()) why = text("diagnostics");
  if (reply.error == "org.varlink.service.PermissionDenied") why = "it holds runs of root only";
  if (why.empty()) why = reply.error;
  return Error{code, "hold the run in holdfastd", {}, std::move(why)};
}

class ResidentSession final : public backend::Session {
 public:
  ResidentSession(std::string socket, rpc::Client client, std::string prepared,
                  const policy::Compiled& policy, const backend::SessionSpec& spec)
      : socket_(std::move(socket)),
        client_(std::move(client)),
        prepared_(std::move(prepared)),
        policy_(policy),
        spec_(spec) {}

  // The child's xattr calls are answered here.
  Result<void> answer_label_calls() {
    HF_TRY_ASSIGN(label_calls_, LabelCalls::create(socket_));
    return {};
  }

  // The daemon holds no task of an ordinary user that could gain privileges.
  Result<backend::ChildPlan> before_fork() override {
    return backend::ChildPlan{.filter = label_calls_ ? label_calls_->filter() : nullptr,
                              .no_new_privs = geteuid() != 0};
  }

  Result<void> adopt(const backend::Child& child) override {
    Json types = Json::array();
    for (unsigned bit = 0; bit < HF_NS_COUNT; bit++)
      if (spec_.unshare_types & (1u << bit)) types.push_back(kernel::kNamespaceTypes[bit].name);
    HF_TRY_ASSIGN(const auto reply,
                  client_.begin_stream(named("OpenSession"), {{"policy", prepared_},
                                                              {"pid", child.pid},
                                                              {"namespaces", std::move(types)},
                                                              {"channel", child.channel_cookie}}));
    if (!reply.error.empty()) return refusal_of(reply);
    id_ = reply.parameters.value("session", std::uint64_t{0});
    if (id_ == 0) return Error{EPROTO, "open session", socket_, "no session in the reply"};
    return label_calls_ ? label_calls_->adopt(child, id_) : Result<void>();
  }

  [[nodiscard]] std::vector<int> poll_fds() const override {
    if (label_calls_) return {client_.fd(), label_calls_->poll_fd()};
    return {client_.fd()};
  }

  Result<void> dispatch() override {
    HF_TRY(show_ready());
    return label_calls_ ? label_calls_->dispatch() : Result<void>();
  }

  Result<backend::Totals> finish() override {
    backend::Totals totals;
    // On another connection: this one has a call that goes on. The daemon sends what it has before
    // it answers.
    auto other = rpc::Client::connect(socket_);
    if (other) {
      const auto reply = other->call(named("SessionTotals"), {{"session", id_}});
      if (reply && reply->error.empty()) {
        totals = totals_of(reply->parameters);
        HF_TRY(wait_for(reply->parameters.value("sent", std::uint64_t{0})));
      }
    }
    HF_TRY(show_ready());
    return totals;
  }

 private:
  Result<void> show_ready() {
    while (!ended_) {
      const auto reply = client_.next_ready();
      if (!reply) return lost(reply.error());
      if (!*reply) return {};
      show(**reply);
    }
    return {};
  }

  static std::uint64_t number_in(const Json& object, const char* name) {
    const auto at = object.find(name);
    return at != object.end() && at->is_number_unsigned() ? at->get<std::uint64_t>()
                                                          : std::uint64_t{0};
  }

  static std::string text_in(const Json& object, const char* name) {
    const auto at = object.find(name);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
  }

  static backend::Totals totals_of(const Json& counts) {
    const auto number = [&](const char* name) { return number_in(counts, name); };
    backend::Totals totals;
    totals.allowed = number("allowed");
    totals.denied = number("denied");
    totals.audited = number("audited");
    totals.locked = number("locked");
    totals.errors = number("errors");
    totals.lost = number("lost");
    totals.guarded = number("guarded");
    if (const auto bpf = counts.find("bpf"); bpf != counts.end() && bpf->is_object())
      totals.bpf =
          backend::BpfUsage{number_in(*bpf, "tokens"),     number_in(*bpf, "maps"),
                            number_in(*bpf, "programs"),   number_in(*bpf, "attached"),
                            number_in(*bpf, "most_maps"),  number_in(*bpf, "most_programs"),
                            number_in(*bpf, "most_memory")};
    return totals;
  }

  // Until that many replies have come. The daemon has sent them or will, and more may follow.
  Result<void> wait_for(std::uint64_t sent) {
    while (!ended_ && shown_ < sent) {
      HF_TRY_ASSIGN(const auto ready, kernel::poll_readable({client_.fd()}, kPatienceMs));
      if (!ready.front()) return {};
      HF_TRY(show_ready());
    }
    return {};
  }

  void show(const Reply& reply) {
    const auto event = reply.parameters.find("event");
    if (event == reply.parameters.end()) return;
    shown_++;
    const std::string line = event->dump();
    if (event->contains("guard")) {
      const auto refusal = policy::guard_event_from_json(line);
      if (refusal && spec_.guard_sink) spec_.guard_sink(*refusal);
      return;
    }
    const auto parsed = policy::event_from_json(line, policy_);
    if (!parsed) return;
    if (parsed->request.op == HF_OP_CGROUP_ATTACH && spec_.move_sink)
      spec_.move_sink(*parsed, {text_in(*event, "source_path"), text_in(*event, "target_path")});
    else
      spec_.sink(*parsed);
  }

  // The rules hold on.
  Result<void> lost(const Error& why) {
    ended_ = true;
    if (spec_.notice)
      spec_.notice("holdfastd does not answer any more (" + why.message() +
                   "): the rules hold, and refusals are not shown");
    return kernel::silence(client_.fd());
  }

  std::string socket_;
  rpc::Client client_;
  std::string prepared_;
  const policy::Compiled& policy_;
  backend::SessionSpec spec_;
  std::unique_ptr<LabelCalls>
      label_calls_;  // null: the kernel has labels, or no rule is about them
  std::uint64_t id_ = 0;
  std::uint64_t shown_ = 0;  // replies about what was decided
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<backend::Session>> open_resident(const std::string& socket,
                                                        const RunPolicy& policy,
                                                        const backend::SessionSpec& spec) {
  HF_TRY_ASSIGN(auto client, rpc::Client::connect(socket));
  Json sources = Json::array();
  for (const policy::Source& source : policy.sources)
    sources.push_back({{"name", source.name}, {"text", source.text}, {"drop_in", source.drop_in}});
  Json parameters = {{"sources", std::move(sources)}, {"profile", policy.profile}};
  if (!policy.mode.empty()) parameters["mode"] = policy.mode;
  HF_TRY_ASSIGN(const auto reply, client.call(named("PrepareSession"), parameters));
  if (!reply.error.empty()) return refusal_of(reply);
  const auto prepared = reply.parameters.find("policy");
  if (prepared == reply.parameters.end() || !prepared->is_string())
    return Error{EPROTO, "hold the run in holdfastd", socket, "no policy in the reply"};
  auto session = std::make_unique<ResidentSession>(
      socket, std::move(client), prepared->get<std::string>(), *policy.compiled, spec);
  if (needs_label_calls(spec.tables->profiles[spec.profile])) HF_TRY(session->answer_label_calls());
  return std::unique_ptr<backend::Session>(std::move(session));
}

}  // namespace holdfast::run
