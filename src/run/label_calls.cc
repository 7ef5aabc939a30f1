// SPDX-License-Identifier: Apache-2.0
#include "run/label_calls.h"

#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "backend/calls/caller.h"
#include "backend/calls/socket_labels.h"
#include "base/base64.h"
#include "kernel/process/child.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "kernel/wakeup.h"
#include "rpc/control_interface.h"

namespace holdfast::run {

namespace {

namespace calls = backend::calls;
using Json = nlohmann::json;
constexpr int kCallsPerDispatch = 64;

// The labels that holdfastd keeps, for a call of one member.
class KeptLabels final : public calls::LabelAccess {
 public:
  // `client` is borrowed, and connected when it is needed.
  KeptLabels(const std::string& socket, std::optional<rpc::Client>& client, std::uint64_t session,
             pid_t member)
      : socket_(socket), client_(client), session_(session), member_(member) {}

  [[nodiscard]] calls::SocketAttributes kernel() const override {
    return calls::SocketAttributes::emulated;
  }

  [[nodiscard]] Result<std::optional<std::string>> get(int socket_fd, label::Cookie,
                                                       const std::string& name) override {
    const auto reply = ask("GetLabel", {{"name", name}}, socket_fd);
    if (!reply && reply.error().code == ENODATA) return std::optional<std::string>();
    if (!reply) return reply.error();
    const auto value = from_base64(reply->value("value", std::string()));
    if (!value) return Error{EIO, "get label", name, {}};
    return value;
  }

  [[nodiscard]] Result<std::vector<std::string>> list(int socket_fd, label::Cookie) override {
    HF_TRY_ASSIGN(auto names, kernel::list_attributes(socket_fd));
    HF_TRY_ASSIGN(const auto reply, ask("Labels", Json::object(), socket_fd));
    std::vector<std::string> labels;
    for (const Json& label : reply.value("labels", Json::array()))
      labels.push_back(label.value("name", std::string()));
    calls::insert_labels(names, labels);
    return names;
  }

  Result<void> set(int socket_fd, label::Cookie, const std::string& name, std::string_view value,
                   int flags) override {
    return change("SetLabel", {{"name", name}, {"value", to_base64(value)}, {"flags", flags}},
                  socket_fd);
  }

  Result<void> remove(int socket_fd, label::Cookie, const std::string& name) override {
    return change("RemoveLabel", {{"name", name}}, socket_fd);
  }

 private:
  Result<void> change(const char* method, Json parameters, int socket_fd) {
    parameters["task"] = member_;
    parameters["session"] = session_;
    const auto reply = ask(method, std::move(parameters), socket_fd);
    return reply ? Result<void>() : Result<void>(reply.error());
  }

  // Errors: the errno that holdfastd answers; EIO it does not answer.
  Result<Json> ask(const char* method, Json parameters, int socket_fd) {
    parameters["fd"] = socket_fd;
    const Error none = {EIO, "ask holdfastd", method, {}};
    // After holdfastd was replaced there is another one.
    for (const bool last : {false, true}) {
      if (!client_) {
        auto connected = rpc::Client::connect(socket_);
        if (!connected) return none;
        client_ = *std::move(connected);
      }
      const auto reply =
          client_->call(std::string(rpc::kControlInterface) + "." + method, parameters);
      if (!reply) {
        client_.reset();
        if (last) return none;
        continue;
      }
      if (reply->error.empty()) return reply->parameters;
      const int code = reply->parameters.value("errno", 0);
      return code > 0 ? Error{code, "ask holdfastd", method, {}} : none;
    }
    return none;
  }

  const std::string& socket_;
  std::optional<rpc::Client>& client_;
  std::uint64_t session_;
  pid_t member_;
};

}  // namespace

bool needs_label_calls(const hf_profile& profile) {
  return calls::socket_attributes() == calls::SocketAttributes::emulated &&
         calls::may_need_labels(profile);
}

LabelCalls::LabelCalls(std::string socket, kernel::Proc proc)
    : socket_(std::move(socket)),
      proc_(std::move(proc)),
      filter_(kernel::SeccompFilter::without_limits()) {}

Result<std::unique_ptr<LabelCalls>> LabelCalls::create(std::string socket) {
  HF_TRY_ASSIGN(auto proc, kernel::Proc::open());
  std::unique_ptr<LabelCalls> made(new LabelCalls(std::move(socket), std::move(proc)));
  made->filter_.add(SYS_setns, {{1, kernel::ArgumentTest::Kind::equals, kernel::kSelfTestArgument}},
                    SECCOMP_RET_USER_NOTIF);
  calls::add_attribute_calls(made->filter_, calls::AttributeCalls::all);
  if (const auto self = made->proc_.task(kernel::own_pid()))
    if (const auto namespaces = self->namespaces())
      made->own_user_namespace_ = namespaces->link[kernel::kUserNamespace];
  return made;
}

Result<void> LabelCalls::adopt(const backend::Child& child, std::uint64_t session) {
  session_ = session;
  HF_TRY_ASSIGN(listener_, calls::take_listener(child));
  kernel::raise_descriptor_limit();
  return calls::answer_self_test(*listener_, child.pid);
}

Result<void> LabelCalls::dispatch() {
  for (int handled = 0; handled < kCallsPerDispatch; handled++) {
    HF_TRY_ASSIGN(const auto ready, kernel::poll_readable({listener_->fd()}, 0));
    if (!(ready.front() & POLLIN)) return {};
    HF_TRY(answer_next());
  }
  return {};
}

Result<void> LabelCalls::answer_next() {
  using calls::Answer;
  const auto received = listener_->receive();
  if (!received) {
    if (received.error().code == ENOENT || received.error().code == EINTR) return {};
    return received.error();
  }
  const seccomp_notif call = **received;
  // Only the child makes another one, once, and that was answered.
  if (!calls::is_attribute_call(call.data.nr))
    return calls::give(*listener_, call.id, Answer::continue_syscall());
  const auto task = proc_.task(static_cast<pid_t>(call.pid));
  if (!task) return calls::give(*listener_, call.id, Answer::error(EPERM));
  return calls::give(*listener_, call.id, answer(call, *task));
}

calls::Answer LabelCalls::answer(const seccomp_notif& call, const kernel::TaskDirectory& task) {
  const std::function<bool()> waiting = [&] { return listener_->waiting(call.id); };
  const std::function<bool()> own = [&] {
    const auto namespaces = task.namespaces();
    return namespaces && namespaces->link[kernel::kUserNamespace] == own_user_namespace_;
  };
  // holdfastd decides.
  const calls::Judge judged = [](const hf_request&, std::uint64_t) { return 0; };
  const backend::LabelNames none;
  KeptLabels labels(socket_, client_, session_, static_cast<pid_t>(call.pid));
  return calls::answer_attribute_call(labels,
                                      {call, task, shared_tables_, own, waiting, judged, none});
}

}  // namespace holdfast::run
