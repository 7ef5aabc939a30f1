// SPDX-License-Identifier: Apache-2.0
// The policy in force, and all ways to change it. After an error the policy in force is unchanged.
// PolicyLife decides which policy is live; this class compiles it and passes it to the kernel.
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
#include "daemon/loaded_policy.h"
#include "daemon/options.h"
#include "daemon/policy_life.h"

namespace holdfast::daemon {

// One thread.
class Enforcement : private InForce {
 public:
  // Receives each reported decision, with the policy that made it. Called by dispatch() and
  // decide().
  using Compiled = std::shared_ptr<const policy::Compiled>;
  using Sink = std::function<void(const hf_event&, const Compiled&)>;

  // Adopts pinned enforcement, or attaches. The policy is that of the files. If they have errors
  // and nothing is in force, it is what can be used of them (policy_dirs/usable.h). If PolicyLife
  // does not allow them to become live, it is the last good one. `log` receives
  // messages for the log, each ending in a newline. `options` is borrowed and outlives the object.
  // Errors: code 0 there is no usable policy, with the diagnostics in the detail; those of
  // attaching.
  [[nodiscard]] static Result<std::unique_ptr<Enforcement>> start(
      const Options& options, Sink sink, std::function<void(const std::string&)> log);

  [[nodiscard]] std::vector<int> poll_fds() const { return machine_->poll_fds(); }
  [[nodiscard]] Result<void> dispatch();

  // As the members of PolicyLife, with the files as they are now. Errors also: code 0 the files
  // have errors, with the diagnostics in the detail; EBUSY files are being installed.
  using Outcome = PolicyLife::Outcome;
  [[nodiscard]] Result<Outcome> reload(std::optional<std::uint64_t> confirm_ms);
  [[nodiscard]] Result<Outcome> rollback();
  // Error also: ENOENT no such profile.
  [[nodiscard]] Result<Outcome> set_mode(const std::string& profile,
                                         std::optional<std::uint8_t> mode);
  [[nodiscard]] Result<void> confirm();
  [[nodiscard]] Result<void> stage();
  [[nodiscard]] const PolicyLife& life() const { return life_; }
  // What to do after the files have changed. later: they are being installed, so ask again.
  enum class FilesCall { nothing, reload, wait_for_reload, later };
  [[nodiscard]] FilesCall files_changed() const;

  // Decides a request that user space asks about by the live policy, counts it and reports it.
  // Returns the errno of an enforced refusal, or 0. EPERM also if the text of the policy is
  // unknown.
  [[nodiscard]] int decide(const hf_request& request, const hf_task& actor, std::uint64_t target);
  [[nodiscard]] Result<backend::Labels> labels_of(int socket_fd) const {
    return machine_->labels_of(socket_fd);
  }
  [[nodiscard]] Result<void> set_labels(int socket_fd, const backend::Labels& labels) {
    return machine_->set_labels(socket_fd, labels);
  }

  // For Sessions. The policies of sessions are not the machine's; spec_of() says one in the terms
  // of the backend. The sink receives their events, in place of the other one.
  [[nodiscard]] backend::Machine& machine() { return *machine_; }
  [[nodiscard]] const std::string& cgroup_root() const { return options_.cgroup_root; }
  [[nodiscard]] backend::MachineSpec spec_of(const policy::Compiled& compiled,
                                             const hf_tables& tables) const;
  void use_session_sink(std::function<void(const hf_event&)> sink) {
    session_sink_ = std::move(sink);
  }

  // For Containers. The tables of the live policy, with the modes that were set. Null: its text is
  // not known.
  [[nodiscard]] const hf_tables* live_tables() const {
    return in_other_modes_ ? in_other_modes_.get() : compiled_->tables.get();
  }
  // The name of a profile of that policy. Empty: it is not known any more.
  [[nodiscard]] std::string profile_name(std::uint64_t generation, std::uint16_t profile);
  // Reports an event of a container like one of the machine. `generation` is that of the policy
  // that its profile is of.
  void report_of_container(hf_event event, std::uint64_t generation);

  // When tick() has to be called.
  [[nodiscard]] std::uint64_t due_ns() const { return life_.due_ns(); }
  // Reverts a policy that was not confirmed in time.
  void tick();

  [[nodiscard]] const Generation& live() const { return life_.live(); }
  [[nodiscard]] const policy::Compiled& policy() const { return *compiled_; }
  [[nodiscard]] backend::Totals totals() const { return machine_->totals(); }
  [[nodiscard]] Result<backend::MachineStats> stats() const { return machine_->stats(); }
  [[nodiscard]] bool sealed() const override { return machine_->sealed(); }
  [[nodiscard]] Result<std::vector<hf_guard_event>> take_guard_events() {
    return machine_->take_guard_events();
  }
  [[nodiscard]] bool adopted() const { return machine_->adopted(); }
  [[nodiscard]] bool guards_files() const { return machine_->guards_files(); }
  // The policy files whose present text is not in force because of mistakes. Known from the start
  // and the last reload.
  [[nodiscard]] const std::vector<policy_dirs::BadFile>& bad_files() const { return bad_files_; }
  // One line about the policy for the service manager.
  [[nodiscard]] std::string status_line() const;

 private:
  Enforcement(const Options& options, Sink sink, std::function<void(const std::string&)> log);
  Result<void> begin();
  Result<void> attach(const Generation& first);
  Result<void> make_live(const Generation& next, Lasting lasting) override;
  void confirmed() override { machine_->settle(); }
  [[nodiscard]] std::uint64_t generation() const override { return machine_->generation(); }
  [[nodiscard]] Result<CheckedFiles> read_files() const;
  [[nodiscard]] Result<LoadedPolicy> good_files();
  [[nodiscard]] PolicyLife::Files usable_files();
  [[nodiscard]] PolicyLife::Files files() const;
  [[nodiscard]] Result<Fd> hold_files() const;
  Result<Outcome> changed(Result<Outcome> outcome);
  void use(std::uint64_t generation, Compiled compiled, std::unique_ptr<hf_tables> tables);
  void log_incomplete();
  void log_bad_files();
  [[nodiscard]] Result<Compiled> compiled(const Generation& generation);
  void deliver(const hf_event& event);
  [[nodiscard]] Compiled policy_of(std::uint64_t generation);
  [[nodiscard]] std::unique_ptr<hf_tables> tables_of(const Generation& generation,
                                                     const policy::Compiled& compiled) const;

  const Options& options_;
  Sink sink_;
  std::function<void(const hf_event&)> session_sink_;
  std::function<void(const std::string&)> log_;
  std::unique_ptr<Archive> archive_;
  PolicyLife life_;
  std::unique_ptr<backend::Machine> machine_;
  // The live policy and its generation.
  std::uint64_t number_ = 0;
  Compiled compiled_;
  std::unique_ptr<hf_tables> in_other_modes_;  // the tables with set modes; null: no mode was set
  // The policy that was compiled last, with its digest(). Usually it becomes live next.
  std::optional<std::pair<std::uint64_t, Compiled>> prepared_;
  // By generation: earlier policies whose events may still be in the ring buffer.
  std::map<std::uint64_t, Compiled> earlier_;
  std::vector<policy_dirs::BadFile> bad_files_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_ENFORCEMENT_H
