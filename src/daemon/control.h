// SPDX-License-Identifier: Apache-2.0
// Answers the methods of io.holdfast.Control.
#ifndef HOLDFAST_DAEMON_CONTROL_H
#define HOLDFAST_DAEMON_CONTROL_H

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/containers.h"
#include "daemon/enforcement.h"
#include "daemon/options.h"
#include "daemon/sessions.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// One thread.
class Control {
 public:
  // Starts to listen. Both arguments are borrowed and outlive the object. Errors: those of
  // rpc::Server::create(), and of making the directory of the socket.
  [[nodiscard]] static Result<std::unique_ptr<Control>> create(Enforcement& enforcement,
                                                               const Options& options);

  // As rpc::Server::interest().
  [[nodiscard]] kernel::Interest interest() { return server_->interest(); }
  void dispatch() { server_->dispatch(); }
  // As those of Sessions.
  [[nodiscard]] std::uint64_t due_ns() const { return sessions_.due_ns(); }
  void tick() { sessions_.tick(); }
  // Is there a session or a connection of root?
  [[nodiscard]] bool in_use() const {
    return !enforcement_.machine().sessions().empty() || server_->serves_root();
  }
  void refused(const hf_guard_event& refusal) { sessions_.refused(refusal); }
  // What reports attacks that were read, and calls refused() for each.
  void report_with(std::function<void()> report) { report_ = std::move(report); }
  // Sends an event, as a JSON object, to all clients of the method Monitor.
  void send_event(const std::string& json);

 private:
  Control(Enforcement& enforcement, const Options& options)
      : enforcement_(enforcement),
        options_(options),
        sessions_(
            enforcement,
            [this](rpc::ConnectionId client, const rpc::Json& reply) {
              return server_->send(client, reply);
            },
            [this](rpc::ConnectionId client) { server_->finish(client); },
            [this] {
              if (report_) report_();
            }),
        containers_(enforcement, [this] { sessions_.opened(); }) {
    sessions_.report_others([this](const hf_event& event) { containers_.deliver(event); });
  }
  [[nodiscard]] rpc::Answer answer(const rpc::Call& call);
  [[nodiscard]] rpc::Answer change(const rpc::Call& call);
  [[nodiscard]] rpc::Answer reload(const rpc::Json& parameters);
  [[nodiscard]] rpc::Answer set_mode(const rpc::Json& parameters);
  // A cached answer. Clients other than root get it if it is less than a second old.
  struct Recent {
    rpc::Answer answer;
    std::uint64_t since_ns = 0;  // 0: never
  };
  [[nodiscard]] rpc::Answer fresh_enough(const rpc::Call& call, Recent& recent,
                                         rpc::Answer (Control::*make)() const) const;
  [[nodiscard]] rpc::Answer status() const;
  [[nodiscard]] rpc::Answer metrics() const;
  [[nodiscard]] rpc::Answer tasks() const;
  [[nodiscard]] rpc::Answer policy() const;
  [[nodiscard]] rpc::Json bad_files() const;

  Enforcement& enforcement_;
  const Options& options_;
  std::unique_ptr<rpc::Server> server_;
  std::set<rpc::ConnectionId> monitors_;
  Sessions sessions_;
  Containers containers_;
  std::function<void()> report_;
  Recent status_;
  Recent metrics_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_CONTROL_H
