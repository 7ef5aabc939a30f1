// SPDX-License-Identifier: Apache-2.0
// The state machine of a machine's policy: which policy is live, which was confirmed last, and
// until when a live policy has to be confirmed. docs/daemon.md has a table of commands and states.
// This file acts through two interfaces: the kernel (InForce) and the disk (Archive).
//
//   steady    the live policy is the confirmed one
//   pending   the live policy is not confirmed; at a deadline the confirmed one comes back
//
// Only confirm() confirms. If another policy becomes live in the state pending, the deadline and
// the policy that comes back stay the same.
//
// A policy becomes live in four steps:
//
//   1. The record is written, with `next`.
//   2. The text of the policy is written.
//   3. The kernel gets the policy.
//   4. The record is written again, without `next`.
//
// If the process ends between two steps, the next process asks the kernel which generation is live,
// and so knows which half of the record is true (LifeRecord).
#ifndef HOLDFAST_DAEMON_POLICY_LIFE_H
#define HOLDFAST_DAEMON_POLICY_LIFE_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "daemon/generations.h"

namespace holdfast::daemon {

// Is a policy live for good, or until it is confirmed, so that the one before may come back?
enum class Lasting { for_good, until_confirmed };

// The policy in the kernel.
class InForce {
 public:
  virtual ~InForce() = default;
  // Makes `next` the live policy. After an error the old one is live, unchanged.
  virtual Result<void> make_live(const Generation& next, Lasting lasting) = 0;
  // The live policy stays.
  virtual void confirmed() = 0;
  [[nodiscard]] virtual std::uint64_t generation() const = 0;
  [[nodiscard]] virtual bool sealed() const = 0;
};

struct BootClock {
  std::function<std::uint64_t()> now_ns;  // CLOCK_BOOTTIME
  std::string boot;                       // this boot's id
};

// Do changed files become live without a command? This includes a change that is found at the
// start.
enum class FilesLive { by_themselves, by_reload };

// One thread.
class PolicyLife {
 public:
  using Files = std::optional<std::vector<policy::Source>>;
  using Modes = std::map<std::string, std::uint8_t>;    // of Generation::modes
  using Log = std::function<void(const std::string&)>;  // receives lines for the log

  // `archive` is borrowed.
  PolicyLife(Archive& archive, BootClock clock, FilesLive files, Log log)
      : archive_(archive), clock_(std::move(clock)), files_live_(files), log_(std::move(log)) {}

  // The first step of a start. Returns the policy to attach if none is in force. Writes nothing,
  // because another process may still serve. `files` are the files in effect, empty if they have
  // errors. `parts` is then what can be used of them; it counts only after a boot. `usable` returns
  // whether this build can make a policy live. Empty: there is no policy.
  [[nodiscard]] std::optional<Generation> begin(
      Files files, Files parts, const std::function<bool(const Generation&)>& usable);
  // The generation whose policy begin() returned; 0: the files were used.
  [[nodiscard]] std::uint64_t begun_from() const { return chosen_ ? chosen_->policy->number : 0; }
  // Did begin() return `parts`?
  [[nodiscard]] bool begun_with_usable() const { return parts_ && begun_from() == 0 && !files_; }
  // The second step is one of these. attached(): the policy of begin() was attached as generation
  // in_force.generation(). adopted(): a policy was in force already. `in_force` is borrowed.
  void attached(InForce& in_force);
  void adopted(InForce& in_force);

  // The live generation after a command, and whether it differs from the one before.
  struct Outcome {
    std::uint64_t generation = 0;
    bool changed = true;
  };
  // Makes the policy of these files live, in these modes. With `confirm_ms`, the confirmed policy comes back after
  // that time unless confirm() is called. If the files are live already, nothing changes then.
  // Errors: EPERM the machine is sealed; EIO the deadline could not be recorded for a restart;
  // those of InForce.
  [[nodiscard]] Result<Outcome> reload(std::vector<policy::Source> files, Modes modes,
                                       std::optional<std::uint64_t> confirm_ms);
  // Sets the mode of a profile of the live policy. `mode` empty: the mode of its file. Errors: as
  // reload(); ENOENT no such profile.
  [[nodiscard]] Result<Outcome> set_mode(const std::string& profile,
                                         std::optional<std::uint8_t> mode);
  // Pending: makes the confirmed policy live now. Steady: makes the last confirmed policy with
  // another text live. Errors: as reload(); ENOENT the text of that policy is not known.
  [[nodiscard]] Result<Outcome> rollback();
  // Confirms the live policy. If the files are another policy by now, they wait for a reload.
  // Errors: EINVAL nothing is pending; those of writing the record, after which it is still
  // pending.
  [[nodiscard]] Result<void> confirm(const Files& files);
  // From now on changed files wait for a reload, until a policy is confirmed. Errors: those of
  // writing the record.
  [[nodiscard]] Result<void> stage();

  // Does a change of the files have to be made live now? `files` is empty if they cannot be read.
  [[nodiscard]] bool wants(const Files& files) const;
  // Do files wait for a reload?
  [[nodiscard]] bool staging() const;

  // When tick() has to be called: CLOCK_BOOTTIME, kNever.
  [[nodiscard]] std::uint64_t due_ns() const;
  // Makes the confirmed policy live if the deadline has passed.
  void tick();

  [[nodiscard]] const Generation& live() const { return *live_; }
  // Is the text of live() known? If not, only its number is.
  [[nodiscard]] bool knows_live() const { return live_known_; }
  [[nodiscard]] const LifeState& state() const { return state_; }
  // The generation whose policy rollback() makes live; 0: none.
  [[nodiscard]] std::uint64_t previous() const;
  // The time until the deadline, in ms. Empty: there is none.
  [[nodiscard]] std::optional<std::uint64_t> left_ms() const;

 private:
  using Text = std::shared_ptr<const Generation>;
  struct Choice {
    Text policy;
    LifeState state;
  };

  [[nodiscard]] Text load(std::uint64_t number) const;
  void remember(const LifeState& state);
  [[nodiscard]] std::vector<Choice> choices(const std::optional<LifeRecord>& record) const;
  [[nodiscard]] LifeState reverted(const LifeState& state) const;
  [[nodiscard]] LifeState with(const Generation& next, LifeState state) const;
  [[nodiscard]] Result<void> write(const LifeState& now, const std::optional<LifeState>& next);
  void warn_unwritten(const Result<void>& written);
  void settle(Text policy, LifeState state);
  void catch_up();
  void log_changed_files() const;
  void prune();
  [[nodiscard]] Result<Outcome> change(Generation next, LifeState state);
  [[nodiscard]] Result<Outcome> keep(LifeState state);
  [[nodiscard]] Result<Outcome> go_back();
  [[nodiscard]] bool due(const LifeState& state) const;
  [[nodiscard]] bool automatic(const LifeState& state) const;

  Archive& archive_;
  BootClock clock_;
  FilesLive files_live_;
  Log log_;
  InForce* in_force_ = nullptr;
  LifeState state_;
  // The known texts of the policies in state_. In the state steady confirmed_ is live_.
  Text live_ = std::make_shared<Generation>();
  Text confirmed_;
  Text before_;
  bool live_known_ = false;
  Files files_;  // the arguments of begin()
  Files parts_;
  std::optional<Choice> chosen_;    // the choice of begin()
  std::uint64_t try_again_ns_ = 0;  // when to try a failed revert again
  std::string logged_error_;        // the last logged error of a revert
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_LIFE_H
