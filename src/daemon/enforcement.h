// SPDX-License-Identifier: Apache-2.0
// The policy in force and every way to change it. Whatever goes wrong, the one in force stays.
#ifndef HOLDFAST_DAEMON_ENFORCEMENT_H
#define HOLDFAST_DAEMON_ENFORCEMENT_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/machine.h"
#include "daemon/generations.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// Not thread safe.
class Enforcement {
 public:
  // Receives each decision that is reported, with the policy that made it.
  using Compiled = std::shared_ptr<const policy::Compiled>;
  using Sink = std::function<void(const hf_event&, const Compiled&)>;

  // Adopts what is in force, or attaches. The policy is that of the files; when they have mistakes,
  // the last one that was good. `said` receives what a reader should know on the way. Errors: code
  // 0 when there is no policy to begin with, with the mistakes as detail; else what attaching gave.
  [[nodiscard]] static Result<std::unique_ptr<Enforcement>> start(
      const Options& options, Sink sink, std::function<void(const std::string&)> said);

  [[nodiscard]] std::vector<int> poll_fds() const { return machine_->poll_fds(); }
  [[nodiscard]] Result<void> dispatch();

  // The files anew. With `confirm_ms`, what was live before comes back by itself after that time,
  // unless confirm() is called. All of these return the generation that is live then. Errors: code
  // 0 with the mistakes, rendered, as detail; what making a policy live gave.
  [[nodiscard]] Result<std::uint64_t> reload(std::optional<std::uint64_t> confirm_ms);
  // Are the files another policy than the one in force, and than one that a rollback turned away?
  // Also when they have mistakes.
  [[nodiscard]] bool files_changed() const;
  // The last policy before this one that was another. ENOENT: it is not known.
  [[nodiscard]] Result<std::uint64_t> rollback();
  // Gives a profile another mode than its files say; nothing: what they say. ENOENT: no such
  // profile.
  [[nodiscard]] Result<std::uint64_t> set_mode(const std::string& profile,
                                               std::optional<std::uint8_t> mode);
  // EINVAL: nothing waits to be confirmed.
  [[nodiscard]] Result<void> confirm();

  // Decides a request of user space's by the live policy; counts and reports it. The errno of a
  // refusal, or 0.
  [[nodiscard]] int decide(const hf_request& request, const hf_task& actor, std::uint64_t target);
  [[nodiscard]] Result<backend::Labels> labels_of(int socket_fd) const {
    return machine_->labels_of(socket_fd);
  }
  [[nodiscard]] Result<void> set_labels(int socket_fd, const backend::Labels& labels) {
    return machine_->set_labels(socket_fd, labels);
  }

  // When tick() is to be called, in ms from now; -1: no need.
  [[nodiscard]] int timeout_ms() const;
  // Reverts what was not confirmed in time.
  void tick();

  [[nodiscard]] const Generation& live() const { return live_; }
  [[nodiscard]] const policy::Compiled& policy() const { return *compiled_; }
  [[nodiscard]] backend::Totals totals() const { return machine_->totals(); }
  [[nodiscard]] Result<backend::Meters> meters() const { return machine_->meters(); }
  [[nodiscard]] bool sealed() const { return machine_->sealed(); }
  [[nodiscard]] Result<std::vector<hf_guard_event>> take_refusals() {
    return machine_->take_refusals();
  }
  [[nodiscard]] bool adopted() const { return machine_->adopted(); }
  [[nodiscard]] bool guards_files() const { return machine_->guards_files(); }

 private:
  Enforcement(const Options& options, Sink sink, std::function<void(const std::string&)> said);
  Result<void> begin();
  Result<void> begin_kept(const LoadedPolicy& policy, bool files_are_good);
  Result<LoadedPolicy> first_policy(bool& files_are_good);
  Result<std::uint64_t> publish(Generation next, Compiled compiled);
  void deliver(const hf_event& event);
  [[nodiscard]] Compiled policy_of(std::uint64_t generation);
  void keep(const Generation& generation);
  [[nodiscard]] std::unique_ptr<hf_tables> tables_of(const Generation& generation,
                                                     const policy::Compiled& compiled) const;
  [[nodiscard]] backend::MachineSpec spec_of(const policy::Compiled& compiled,
                                             const hf_tables& tables) const;

  const Options& options_;
  Sink sink_;
  std::function<void(const std::string&)> said_;
  Generations generations_;
  std::unique_ptr<backend::Machine> machine_;
  Generation live_;
  Compiled compiled_;
  Generation before_;  // as far as it is known
  // By generation: policies whose events may still be on their way.
  std::map<std::uint64_t, Compiled> earlier_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_ENFORCEMENT_H
