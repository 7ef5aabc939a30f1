// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy_life.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

namespace holdfast::daemon {

namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kTryAgainNs = 5'000'000'000;

Error sealed() { return {EPERM, "change the policy", "", "it is sealed: holdfastd --unseal"}; }

}  // namespace

PolicyLife::Text PolicyLife::load(std::uint64_t number) const {
  auto found = archive_.load(number);
  return found ? std::make_shared<const Generation>(*std::move(found)) : nullptr;
}

// A deadline of another boot has passed, since that boot ended without a confirmation.
bool PolicyLife::due(const LifeState& state) const {
  if (!state.deadline) return false;
  return state.deadline->boot != clock_.boot || clock_.now_ns() >= state.deadline->at_ns;
}

bool PolicyLife::automatic(const LifeState& state) const {
  return files_live_ == FilesLive::by_themselves && !state.staged && !state.deadline;
}

bool PolicyLife::staging() const { return !automatic(state_); }

// The state after the confirmed policy became live again. The files may have changed meanwhile and
// were never live, so they wait for a reload.
LifeState PolicyLife::reverted(const LifeState& state) const {
  LifeState back = state;
  back.deadline.reset();
  back.turned_away = live_known_ ? digest(live_->sources) : 0;
  back.staged = true;
  return back;
}

// `state` after `next` became live.
LifeState PolicyLife::with(const Generation& next, LifeState state) const {
  state.live = next.number;
  if (state.deadline) return state;
  if (!confirmed_ || !same_policy(next, *confirmed_)) state.before = state_.confirmed;
  state.confirmed = next.number;
  return state;
}

// Takes over `state`, in which `policy` is live.
void PolicyLife::settle(Text policy, LifeState state) {
  if (!state.deadline) {
    if (state.before != state_.before) before_ = confirmed_;
    confirmed_ = policy;
  }
  live_ = std::move(policy);
  live_known_ = true;
  state_ = std::move(state);
  try_again_ns_ = 0;
  logged_error_.clear();
}

/* ---- start ----
 */

// Takes over `state` and loads its texts.
void PolicyLife::remember(const LifeState& state) {
  state_ = state;
  live_ = load(state.live);
  live_known_ = live_ != nullptr;
  confirmed_ = state.confirmed == state.live ? live_ : load(state.confirmed);
  before_ = load(state.before);
  if (!live_known_) live_ = std::make_shared<const Generation>(Generation{state.live, {}, {}});
}

// The policies that a start can use, in order of preference.
std::vector<PolicyLife::Choice> PolicyLife::choices(const std::optional<LifeRecord>& record) const {
  std::vector<Choice> found;
  const auto add = [&](const Text& policy, const LifeState& state) {
    if (policy) found.push_back({policy, state});
  };
  // Modes that were set by hand last.
  const auto text_of = [&](const Files& files) -> Text {
    if (!files) return nullptr;
    return std::make_shared<const Generation>(Generation{0, *files, live_->modes});
  };
  const Text of_files = text_of(files_);
  const Text of_parts = files_ ? nullptr : text_of(parts_);
  LifeState from_files = state_;
  from_files.deadline.reset();
  from_files.turned_away = 0;
  from_files.staged = false;
  const Text live = live_known_ ? live_ : nullptr;
  if (state_.deadline) {
    if (!due(state_)) add(live, state_);
    add(confirmed_, reverted(state_));
    add(of_files, from_files);
    add(of_parts, from_files);
    add(live, reverted(state_));  // the last resort: no other policy is known
    return found;
  }
  const bool same_boot = record && record->boot == clock_.boot;
  if (record && !wants(files_)) {
    add(live, state_);
    add(of_files, from_files);
    add(of_parts, from_files);
    return found;
  }
  add(of_files, from_files);
  // Nothing that is in force is exchanged for what is left of files with mistakes.
  if (!same_boot) add(of_parts, from_files);
  add(live, state_);
  add(of_parts, from_files);
  return found;
}

std::optional<Generation> PolicyLife::begin(Files files, Files parts,
                                            const std::function<bool(const Generation&)>& usable) {
  files_ = std::move(files);
  parts_ = std::move(parts);
  const auto record = archive_.read();
  if (record) remember(record->now);
  for (Choice& choice : choices(record)) {
    if (!usable(*choice.policy)) continue;
    Generation first = *choice.policy;
    first.number = std::max({archive_.newest(), record ? record->now.live : 0,
                             record && record->next ? record->next->live : 0}) +
                   1;
    chosen_ = std::move(choice);
    return first;
  }
  return std::nullopt;
}

void PolicyLife::attached(InForce& in_force) {
  in_force_ = &in_force;
  Generation first = *chosen_->policy;
  first.number = in_force.generation();
  const bool went_back = state_.deadline && !chosen_->state.deadline;
  if (went_back)
    log_(fmt::format(
        "generation {} was not confirmed: generation {} is the policy of generation {}\n",
        state_.live, first.number, chosen_->policy->number));
  LifeState state = with(first, chosen_->state);
  settle(std::make_shared<const Generation>(std::move(first)), std::move(state));
  auto written = archive_.save(*live_);
  if (written) written = write(state_, std::nullopt);
  warn_unwritten(written);
  prune();
  log_changed_files();
}

void PolicyLife::log_changed_files() const {
  if (!files_ || !live_known_ || wants(files_)) return;
  if (digest(*files_) != digest(live_->sources))
    log_("the files are another policy than the one in force: holdfast reload makes them live\n");
}

// Combines the live generation in the kernel with the record.
void PolicyLife::adopted(InForce& in_force) {
  in_force_ = &in_force;
  const std::uint64_t live = in_force.generation();
  const auto record = archive_.read();  // again, since no other process serves now
  if (record && record->next && record->next->live == live) {
    remember(*record->next);
  } else if (record && record->now.live == live) {
    remember(record->now);
  } else {
    // The record was not written: the disk was full or missing, or the process ended too early. If
    // the record is ambiguous, take the state that reverts by itself.
    remember(!record                                  ? LifeState()
             : record->next && record->next->deadline ? *record->next
                                                      : record->now);
    const Text text = load(live);
    if (text && !state_.deadline) {
      settle(text, with(*text, state_));
    } else {
      state_.live = live;
      live_known_ = text != nullptr;
      live_ = text ? text : std::make_shared<const Generation>(Generation{live, {}, {}});
    }
  }
  if (record && record->next && record->next->live != live) archive_.remove(record->next->live);
  if (!record || record->next || record->now.live != live) warn_unwritten(write(state_, {}));
  catch_up();
}

// Logs how the files differ from the live policy.
void PolicyLife::catch_up() {
  if (due(state_)) return tick();
  if (state_.deadline)
    return log_(fmt::format("generation {} is not confirmed: in {} s generation {} comes back\n",
                            state_.live, left_ms().value_or(0) / 1000, state_.confirmed));
  if (live_known_ && !wants(files_)) return log_changed_files();
  if (!live_known_)
    log_(fmt::format("the text of generation {}, which is in force, is not known\n", state_.live));
  if (!files_) return;
  if (live_known_ && in_force_->sealed())
    return log_("sealed: the policy in force stays, although the files are another policy\n");
  Generation next = *chosen_->policy;
  LifeState state = chosen_->state;
  if (live_known_) {
    next = Generation{0, *files_, live_->modes};
    state = state_;
    state.turned_away = 0;
    state.staged = false;
  }
  state.deadline.reset();
  const auto changed = change(std::move(next), std::move(state));
  if (!changed) log_(changed.error().message() + ": the policy in force stays\n");
}

/* ---- changes ----
 */

Result<void> PolicyLife::write(const LifeState& now, const std::optional<LifeState>& next) {
  return archive_.write({now, next, clock_.boot});
}

void PolicyLife::warn_unwritten(const Result<void>& written) {
  if (!written)
    log_(fmt::format("{}: this policy will not be known after a restart\n",
                     written.error().message()));
}

void PolicyLife::prune() { archive_.prune({state_.live, state_.confirmed, state_.before}); }

Result<PolicyLife::Outcome> PolicyLife::change(Generation next, LifeState state) {
  if (in_force_->sealed()) return sealed();
  next.number = std::max(in_force_->generation(), archive_.newest()) + 1;
  LifeState to = with(next, std::move(state));
  auto written = write(state_, to);
  if (written) written = archive_.save(next);
  if (!written && to.deadline && !state_.deadline) {
    archive_.remove(next.number);
    (void)write(state_, std::nullopt);
    return Error{EIO, "write", written.error().object,
                 "after a restart it would not be known that this policy has to be confirmed"};
  }
  warn_unwritten(written);
  const Lasting lasting = to.deadline ? Lasting::until_confirmed : Lasting::for_good;
  if (auto live = in_force_->make_live(next, lasting); !live) {
    archive_.remove(next.number);
    (void)write(state_, std::nullopt);  // if this fails, the kernel's generation disproves `next`
    return std::move(live).error();
  }
  settle(std::make_shared<const Generation>(std::move(next)), std::move(to));
  if (written) warn_unwritten(write(state_, std::nullopt));
  prune();
  return Outcome{state_.live, true};
}

// Changes only the record.
Result<PolicyLife::Outcome> PolicyLife::keep(LifeState state) {
  HF_TRY(write(state, std::nullopt));
  state_ = std::move(state);
  return Outcome{state_.live, false};
}

Result<PolicyLife::Outcome> PolicyLife::reload(std::vector<policy::Source> files, Modes modes,
                                               std::optional<std::uint64_t> confirm_ms) {
  if (in_force_->sealed()) return sealed();
  const Generation next{0, std::move(files), std::move(modes)};
  const bool same = live_known_ && same_policy(next, *live_);
  LifeState state = state_;
  state.turned_away = 0;
  state.staged = false;
  if (!confirm_ms) return change(next, std::move(state));
  if (same && !state_.deadline) return keep(std::move(state));
  if (!confirmed_)
    return Error{ENOENT, "go back", "", "the text of the policy in force is not known"};
  state.deadline = Deadline{clock_.now_ns() + *confirm_ms * kNsPerMs, clock_.boot};
  return same ? keep(std::move(state)) : change(next, std::move(state));
}

Result<PolicyLife::Outcome> PolicyLife::set_mode(const std::string& profile,
                                                 std::optional<std::uint8_t> mode) {
  if (!live_known_) return Error{ENOENT, "set mode", profile, "no such profile"};
  Generation next = *live_;
  if (mode)
    next.modes[profile] = *mode;
  else
    next.modes.erase(profile);
  return change(std::move(next), state_);
}

Result<PolicyLife::Outcome> PolicyLife::go_back() {
  if (!confirmed_)
    return Error{ENOENT, "roll back", "", "the text of the confirmed policy is not known"};
  return change(*confirmed_, reverted(state_));
}

Result<PolicyLife::Outcome> PolicyLife::rollback() {
  if (state_.deadline) return go_back();
  if (!before_) return Error{ENOENT, "roll back", "", "the policy before this one is not known"};
  LifeState state = state_;
  state.turned_away = live_known_ ? digest(live_->sources) : 0;
  return change(*before_, std::move(state));
}

Result<void> PolicyLife::confirm(const Files& files) {
  if (!state_.deadline) return Error{EINVAL, "confirm", "", "nothing waits to be confirmed"};
  LifeState state = state_;
  state.deadline.reset();
  state.staged = !files || !live_known_ || digest(*files) != digest(live_->sources);
  state = with(*live_, std::move(state));
  HF_TRY(write(state, std::nullopt));
  in_force_->confirmed();
  if (state.before != state_.before) before_ = confirmed_;
  confirmed_ = live_known_ ? live_ : nullptr;
  state_ = std::move(state);
  return {};
}

Result<void> PolicyLife::stage() {
  LifeState state = state_;
  state.staged = true;
  HF_TRY_ASSIGN(std::ignore, keep(std::move(state)));
  return {};
}

bool PolicyLife::wants(const Files& files) const {
  if (!automatic(state_)) return false;
  if (!files || !live_known_) return true;
  const std::uint64_t now = digest(*files);
  return now != digest(live_->sources) && now != state_.turned_away;
}

std::uint64_t PolicyLife::previous() const {
  return state_.deadline ? state_.confirmed : state_.before;
}

std::optional<std::uint64_t> PolicyLife::left_ms() const {
  if (!state_.deadline) return std::nullopt;
  const std::uint64_t now = clock_.now_ns();
  return now >= state_.deadline->at_ns ? 0 : (state_.deadline->at_ns - now) / kNsPerMs;
}

std::uint64_t PolicyLife::due_ns() const {
  if (!state_.deadline) return kNever;
  return due(state_) ? try_again_ns_ : state_.deadline->at_ns;
}

void PolicyLife::tick() {
  if (clock_.now_ns() < due_ns()) return;
  const std::uint64_t unconfirmed = state_.live;
  const std::uint64_t confirmed = state_.confirmed;
  const auto back = go_back();
  if (back)
    return log_(fmt::format(
        "generation {} was not confirmed in time: generation {} is the policy of generation {}\n",
        unconfirmed, back->generation, confirmed));
  try_again_ns_ = clock_.now_ns() + kTryAgainNs;
  std::string why = back.error().message();
  if (why != logged_error_)
    log_(fmt::format("generation {} was not confirmed in time, but {}\n", unconfirmed, why));
  logged_error_ = std::move(why);
}

}  // namespace holdfast::daemon
