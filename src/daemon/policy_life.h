// SPDX-License-Identifier: Apache-2.0
// The life of a machine's policy: which one is live, which one was confirmed last, and until when a
// live one that is not confirmed has to be. docs/daemon.md says what each command does in each
// state; this decides it, and asks others to act: the kernel (InForce) and the disk (Archive).
//
//   steady    the live policy is the confirmed one
//   pending   it is not, and at a deadline the confirmed one comes back
//
// Only confirm() confirms. Whatever else becomes live while one is pending takes over its deadline
// and the policy that comes back.
//
// How a policy becomes live, so that a process that ends at any point leaves what the next one
// understands: the record with what will be; the text; the kernel; the record with what is. What
// the kernel has decides between the two halves of the record (LifeRecord).
#ifndef HOLDFAST_DAEMON_POLICY_LIFE_H
#define HOLDFAST_DAEMON_POLICY_LIFE_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/generations.h"

namespace holdfast::daemon {

// By what the kernel decides.
class InForce {
 public:
  virtual ~InForce() = default;
  // On error the one before is live, as it was.
  virtual Result<void> make_live(const Generation& next) = 0;
  [[nodiscard]] virtual std::uint64_t generation() const = 0;
  [[nodiscard]] virtual bool sealed() const = 0;
};

struct BootClock {
  std::function<std::uint64_t()> now_ns;  // CLOCK_BOOTTIME
  std::string boot;                       // this boot's id
};

// Whether a change of the policy's files makes them live, also one that a start finds.
enum class FilesLive { by_themselves, by_reload };

// Not thread safe.
class PolicyLife {
 public:
  using Files = std::optional<std::vector<policy::Source>>;
  using Log = std::function<void(const std::string&)>;  // receives lines for a reader

  // `archive` is borrowed.
  PolicyLife(Archive& archive, BootClock clock, FilesLive files, Log say)
      : archive_(archive), clock_(std::move(clock)), files_live_(files), log_(std::move(say)) {}

  // What a start does first: the policy to attach with where nothing is in force. Nothing is
  // written, since another process may still serve. `files`: those in effect, when they are good.
  // `usable`: can this build make that policy live? Nothing: there is none.
  [[nodiscard]] std::optional<Generation> begin(
      Files files, const std::function<bool(const Generation&)>& usable);
  // Then one of these: the policy of begin() was attached as generation in_force.generation(); or
  // what is in force was found so. `in_force` is borrowed from then on.
  // The generation whose policy that is; 0: it is that of the files.
  [[nodiscard]] std::uint64_t begun_from() const { return chosen_ ? chosen_->policy->number : 0; }
  void attached(InForce& in_force);
  void adopted(InForce& in_force);

  // A generation that was asked for, and whether another policy is live than before.
  struct Outcome {
    std::uint64_t generation = 0;
    bool changed = true;
  };
  // The policy of these files. With `confirm_ms`, the confirmed one comes back after that time
  // unless confirm() is called; files that are live already change nothing then. Errors: EPERM it
  // is sealed; EIO with confirm_ms, when a restart could not know of the deadline; what
  // InForce gave.
  [[nodiscard]] Result<Outcome> reload(std::vector<policy::Source> files,
                                       std::optional<std::uint64_t> confirm_ms);
  // Another mode for a profile that the live policy has; nothing: the one that its file states.
  [[nodiscard]] Result<Outcome> set_mode(const std::string& profile,
                                         std::optional<std::uint8_t> mode);
  // Pending: the confirmed policy, now. Steady: the last confirmed one that was another. ENOENT:
  // it is not known.
  [[nodiscard]] Result<Outcome> rollback();
  // The live policy is the confirmed one from now on. Files that are another one by now wait for a
  // reload. Errors: EINVAL nothing is pending; what writing gave: it stays pending.
  [[nodiscard]] Result<void> confirm(const Files& files);
  // Files wait for a reload, until one is confirmed. Errors: what writing gave.
  [[nodiscard]] Result<void> stage();

  // Is a change of the files to be made live now? `files`: nothing when they cannot be read.
  [[nodiscard]] bool wants(const Files& files) const;
  // Do files wait for a reload?
  [[nodiscard]] bool staging() const;

  // When tick() has something to do, in ms from now; -1: never.
  [[nodiscard]] int timeout_ms() const;
  // Goes back when the deadline has passed.
  void tick();

  [[nodiscard]] const Generation& live() const { return *live_; }
  // Is the text of live() known? If not it is only a number.
  [[nodiscard]] bool knows_live() const { return live_known_; }
  [[nodiscard]] const LifeState& state() const { return state_; }
  // The generation whose policy rollback() makes live; 0: none.
  [[nodiscard]] std::uint64_t previous() const;
  // Until the deadline; nothing: there is none.
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
  // The texts of state_, those that are known. confirmed_ is live_ unless pending.
  Text live_ = std::make_shared<Generation>();
  Text confirmed_;
  Text before_;
  bool live_known_ = false;
  Files files_;                     // as begin() was given them
  std::optional<Choice> chosen_;    // by begin()
  std::uint64_t try_again_ns_ = 0;  // a going back that failed is tried again then
  std::string logged_error_;        // why it failed
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_LIFE_H
