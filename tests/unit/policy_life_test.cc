// SPDX-License-Identifier: Apache-2.0
// The life of a policy against a naive account of it, over every short sequence of what can happen,
// with a kernel and a disk that are maps; and with a process that ends between any two steps.
#include "daemon/policy_life.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "core/abi.h"

namespace holdfast::daemon {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kConfirmMs = 60'000;

// The process ends here.
struct Crash {};

// Counts what reaches the kernel or the disk, and ends the process at one of those.
struct Steps {
  int left = -1;  // until the crash; -1: none
  void step() {
    if (left > 0 && --left == 0) throw Crash{};
  }
};

// "A", or "A audit" with its profile in another mode.
std::string content(const Generation& generation) {
  std::string text;
  for (const policy::Source& source : generation.sources) text += source.text;
  if (!generation.modes.empty()) text += " audit";
  return text;
}

class FakeKernel final : public InForce {
 public:
  explicit FakeKernel(Steps& steps) : steps_(steps) {}
  Result<void> make_live(const Generation& next, Lasting lasting) override {
    taken_back_ = lasting == Lasting::until_confirmed;
    steps_.step();
    if (refuses) return Error{E2BIG, "make policy live", "", ""};
    now = next;
    steps_.step();
    return {};
  }
  void confirmed() override { taken_back_ = false; }
  // Is the one before kept ready?
  [[nodiscard]] bool may_be_taken_back() const { return taken_back_; }
  [[nodiscard]] std::uint64_t generation() const override { return now->number; }
  [[nodiscard]] bool sealed() const override { return is_sealed; }

  std::optional<Generation> now;  // nothing: nothing is enforced
  bool refuses = false;
  bool is_sealed = false;

 private:
  Steps& steps_;
  bool taken_back_ = false;
};

class FakeDisk final : public Archive {
 public:
  explicit FakeDisk(Steps& steps) : steps_(steps) {}
  Result<void> save(const Generation& generation) override {
    return write_to([&] { texts[generation.number] = generation; });
  }
  Result<void> write(const LifeRecord& to) override {
    return write_to([&] { record = to; });
  }
  void remove(std::uint64_t number) override {
    steps_.step();
    texts.erase(number);
    steps_.step();
  }
  void prune(const std::set<std::uint64_t>& needed) override {
    std::erase_if(texts, [&](const auto& text) { return !needed.contains(text.first); });
  }
  [[nodiscard]] std::optional<Generation> load(std::uint64_t number) const override {
    const auto found = texts.find(number);
    return found == texts.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::optional<LifeRecord> read() const override { return record; }
  [[nodiscard]] std::uint64_t newest() const override {
    return texts.empty() ? 0 : texts.rbegin()->first;
  }

  std::map<std::uint64_t, Generation> texts;
  std::optional<LifeRecord> record;
  bool full = false;

 private:
  template <typename Write>
  Result<void> write_to(Write write) {
    steps_.step();
    if (full) return Error{ENOSPC, "write", "", ""};
    write();
    steps_.step();
    return {};
  }
  Steps& steps_;
};

// What can happen.
constexpr std::string_view kActs = "abRCMFBtKOS";
// a b  the files become this policy       R  reload            C  reload --confirm 60s
// M    mode, there and back               F  confirm           B  rollback
// t    40 seconds pass                    K  kill and restart  O  reboot
// S    stage

// A machine with its daemon.
class World {
 public:
  explicit World(FilesLive files_live) : kernel(steps), disk(steps), files_live_(files_live) {
    start();
  }

  // Whether it was accepted.
  bool act(char what) {
    switch (what) {
      case 'a':
      case 'b':
        files = what == 'a' ? "A" : "B";
        if (life->wants(sources()))
          return static_cast<bool>(life->reload(*sources(), life->live().modes, {}));
        return true;
      case 'R':
        return static_cast<bool>(life->reload(*sources(), life->live().modes, {}));
      case 'C':
        return static_cast<bool>(life->reload(*sources(), life->live().modes, kConfirmMs));
      case 'M': {
        const bool audit = life->live().modes.empty();
        return static_cast<bool>(
            life->set_mode("p", audit ? std::optional<std::uint8_t>(HF_MODE_AUDIT) : std::nullopt));
      }
      case 'F':
        return static_cast<bool>(life->confirm(sources()));
      case 'B':
        return static_cast<bool>(life->rollback());
      case 't':
        now += 40 * kSecond;
        life->tick();
        return true;
      case 'K':
        start();
        return true;
      case 'O':
        kernel.now.reset();
        now = kSecond;
        boot++;
        start();
        return true;
      default:
        return static_cast<bool>(life->stage());
    }
  }

  Steps steps;
  FakeKernel kernel;
  FakeDisk disk;
  std::unique_ptr<PolicyLife> life;
  std::string files = "A";
  std::string said;
  std::uint64_t now = kSecond;

 private:
  [[nodiscard]] PolicyLife::Files sources() const {
    return std::vector<policy::Source>{{"p.toml", files}};
  }

  void start() {
    life = std::make_unique<PolicyLife>(
        disk, BootClock{[this] { return now; }, "boot " + std::to_string(boot)}, files_live_,
        [this](const std::string& line) { said += line; });
    const auto first = life->begin(sources(), {}, [](const Generation&) { return true; });
    ASSERT_TRUE(first);
    if (kernel.now) return life->adopted(kernel);
    ASSERT_TRUE(kernel.make_live(*first, Lasting::for_good));
    life->attached(kernel);
  }

  FilesLive files_live_;
  int boot = 1;
};

// What docs/daemon.md says of it, in terms of whole policies instead of their numbers.
struct Account {
  explicit Account(FilesLive files_live) : automatic(files_live == FilesLive::by_themselves) {}

  bool automatic;
  std::string files = "A";
  std::string live = "A";
  std::string confirmed = "A";
  std::string before;  // empty: none
  std::string turned_away;
  bool pending = false;
  bool staged = false;
  std::uint64_t until = 0;  // s
  std::uint64_t now = 1;

  static std::string text(const std::string& policy) { return policy.substr(0, 1); }
  // The files in the modes that were set by hand.
  [[nodiscard]] std::string of_files() const { return files + live.substr(1); }

  void settle(std::string policy) {
    if (policy != confirmed) before = confirmed;
    live = confirmed = policy;
    pending = false;
  }
  void come_back() {
    turned_away = text(live);
    staged = true;
    settle(confirmed);
  }
  void reload() {
    turned_away.clear();
    staged = false;
    if (pending)
      live = of_files();
    else
      settle(of_files());
  }
  [[nodiscard]] bool wanted() const {
    return automatic && !staged && !pending && files != text(live) && files != turned_away;
  }
  bool reload_to_confirm() {
    turned_away.clear();
    staged = false;
    if (of_files() == live && !pending) return true;
    live = of_files();
    pending = true;
    until = now + kConfirmMs / 1000;
    return true;
  }
  bool roll_back() {
    if (pending) return come_back(), true;
    if (before.empty()) return false;
    turned_away = text(live);
    return settle(before), true;
  }
  bool confirm() {
    if (!pending) return false;
    settle(live);
    staged = files != text(live);
    return true;
  }
  void reboot() {
    now = 1;
    if (pending) return come_back();
    if (wanted()) reload();
  }

  bool act(char what) {
    switch (what) {
      case 'a':
      case 'b':
        files = what == 'a' ? "A" : "B";
        if (wanted()) reload();
        return true;
      case 'R':
        return reload(), true;
      case 'C':
        return reload_to_confirm();
      case 'M': {
        const std::string other = live.size() == 1 ? live + " audit" : text(live);
        if (pending)
          live = other;
        else
          settle(other);
        return true;
      }
      case 'F':
        return confirm();
      case 'B':
        return roll_back();
      case 't':
        now += 40;
        if (pending && now >= until) come_back();
        return true;
      case 'K':
        if (pending && now >= until) come_back();
        if (wanted()) reload();
        return true;
      case 'O':
        return reboot(), true;
      default:
        return staged = true;
    }
  }
};

// Empty: the machine is as the account says.
std::string difference(const World& world, const Account& account) {
  const PolicyLife& life = *world.life;
  const LifeState& state = life.state();
  const auto text = [&](std::uint64_t number) {
    const auto found = world.disk.load(number);
    return found ? content(*found) : std::string("?");
  };
  if (!life.knows_live()) return "live is not known";
  if (world.kernel.generation() != state.live) return "the kernel has another generation";
  if (content(*world.kernel.now) != account.live)
    return "the kernel has " + content(*world.kernel.now) + " instead of " + account.live;
  if (content(life.live()) != account.live || life.live().number != state.live)
    return "live() is " + content(life.live());
  if (text(state.live) != account.live) return "on disk, live is " + text(state.live);
  if (text(state.confirmed) != account.confirmed)
    return "confirmed is " + text(state.confirmed) + " instead of " + account.confirmed;
  if (state.deadline.has_value() != account.pending) return "pending or not";
  if (!account.pending && state.staged != account.staged) return "staged or not";
  if (state.deadline && state.deadline->at_ns != account.until * kSecond) return "the deadline";
  if (!account.before.empty() && text(state.before) != account.before)
    return "before is " + text(state.before) + " instead of " + account.before;
  if (account.before.empty() && state.before != 0) return "there is one before";
  const auto& record = world.disk.record;
  if (!record || record->next || record->now.live != state.live) return "the record";
  if (world.disk.texts.rbegin()->first != state.live) return "a text that was never live";
  return "";
}

// Calls `visit` with every sequence of `length` acts.
template <typename PendingConnect>
void each_sequence(std::size_t length, PendingConnect visit) {
  std::string acts(length, kActs.front());
  std::vector<std::size_t> at(length, 0);
  for (;;) {
    for (std::size_t i = 0; i < length; i++) acts[i] = kActs[at[i]];
    if (!visit(acts)) return;
    std::size_t digit = 0;
    while (digit < length && ++at[digit] == kActs.size()) at[digit++] = 0;
    if (digit == length) return;
  }
}

void agree(FilesLive files_live, std::size_t length) {
  std::string wrong;
  each_sequence(length, [&](const std::string& acts) {
    World world(files_live);
    Account account(files_live);
    for (std::size_t i = 0; i < acts.size() && wrong.empty(); i++) {
      const bool done = world.act(acts[i]);
      const bool expected = account.act(acts[i]);
      const std::string said =
          done != expected ? "it was or was not accepted" : difference(world, account);
      if (!said.empty()) wrong = acts.substr(0, i + 1) + ": " + said;
    }
    return wrong.empty();
  });
  EXPECT_EQ(wrong, "");
}

TEST(PolicyLife, DoesWhatIsDocumentedAfterEverySequence) {
  agree(FilesLive::by_themselves, 6);
  agree(FilesLive::by_reload, 5);
}

// The last act ends somewhere in between, or the process ends right after it. Then it has happened
// or it has not, wholly, and all that follows is as documented.
void survive(FilesLive files_live, std::size_t length, char after) {
  std::string wrong;
  std::size_t crashes = 0;
  each_sequence(length, [&](const std::string& acts) {
    for (int crash_at = 1;; crash_at++) {
      World world(files_live);
      Account without(files_live);
      for (const char what : acts.substr(0, length - 1)) {
        world.act(what);
        without.act(what);
      }
      Account with = without;
      with.act(acts.back());
      // The files and the time are no part of the process.
      without.files = with.files;
      if (acts.back() == 't') without.now = with.now;
      world.steps.left = crash_at;
      bool crashed = false;
      try {
        world.act(acts.back());
      } catch (const Crash&) {
        crashed = true;
      }
      world.steps.left = -1;
      if (!crashed) return true;
      crashes++;
      std::vector<Account> possible = {without, with};
      for (const char what : std::string(1, after) + "ttMB") {
        world.act(what);
        std::string said;
        for (auto at = possible.begin(); at != possible.end();) {
          at->act(what);
          said = difference(world, *at);
          at = said.empty() ? at + 1 : possible.erase(at);
        }
        if (!possible.empty()) continue;
        wrong = acts + " crashed at step " + std::to_string(crash_at) + ", then " + after +
                " up to " + what + ": " + said;
        return false;
      }
    }
  });
  EXPECT_EQ(wrong, "");
  EXPECT_GT(crashes, 1000u);
}

TEST(PolicyLife, SurvivesARestartAfterEachStep) {
  survive(FilesLive::by_reload, 4, 'K');
  survive(FilesLive::by_themselves, 4, 'K');
}

TEST(PolicyLife, SurvivesARebootAfterEachStep) {
  survive(FilesLive::by_reload, 4, 'O');
  survive(FilesLive::by_themselves, 4, 'O');
}

// Acts one after the other, all accepted.
void act(World& world, std::string_view acts) {
  for (const char what : acts) EXPECT_TRUE(world.act(what)) << what << " of " << acts;
}

std::string in_force(const World& world) { return content(*world.kernel.now); }

TEST(PolicyLife, NeitherModeNorReloadNorRestartKeepsAnUnconfirmedPolicy) {
  for (const char* acts : {"SbCM", "SbCaR", "SbCC", "SbCK", "SbCMK", "SbCRMKa"}) {
    World world(FilesLive::by_themselves);
    act(world, acts);
    EXPECT_TRUE(world.life->left_ms());
    act(world, "tt");
    EXPECT_EQ(in_force(world), "A") << acts;
    EXPECT_FALSE(world.life->left_ms());
  }
}

// What can be used of files with mistakes.
std::string begins_with(World& world, bool after_boot) {
  if (after_boot) world.now = kSecond;
  PolicyLife life(world.disk,
                  BootClock{[&] { return world.now; }, after_boot ? "boot 2" : "boot 1"},
                  FilesLive::by_themselves, [](const std::string&) {});
  const auto first =
      life.begin(std::nullopt, std::vector<policy::Source>{{"p.toml", "PART", false}},
                 [](const Generation&) { return true; });
  EXPECT_EQ(life.begun_with_usable(), first && content(*first).starts_with("PART"));
  return first ? content(*first) : "";
}

TEST(PolicyLife, WhatIsLeftOfBadFilesCountsOnlyAfterABoot) {
  World world(FilesLive::by_themselves);
  act(world, "bM");
  EXPECT_EQ(begins_with(world, false), "B audit");
  EXPECT_EQ(begins_with(world, true), "PART audit");
  // Adopted: nothing changes.
  PolicyLife life(world.disk, BootClock{[&] { return world.now; }, "boot 1"},
                  FilesLive::by_themselves, [](const std::string&) {});
  ASSERT_TRUE(life.begin(std::nullopt, std::vector<policy::Source>{{"p.toml", "PART", false}},
                         [](const Generation&) { return true; }));
  life.adopted(world.kernel);
  EXPECT_EQ(in_force(world), "B audit");
}

TEST(PolicyLife, WhatIsLeftOfBadFilesWaitsLikeThem) {
  World staged(FilesLive::by_themselves);
  act(staged, "S");
  EXPECT_EQ(begins_with(staged, true), "A");
  World pending(FilesLive::by_themselves);
  act(pending, "SbC");
  EXPECT_EQ(begins_with(pending, true), "A");
  World fresh(FilesLive::by_themselves);
  fresh.disk.texts.clear();
  fresh.disk.record.reset();
  EXPECT_EQ(begins_with(fresh, true), "PART");
}

TEST(PolicyLife, AModeThatWasSetByHandLasts) {
  World world(FilesLive::by_themselves);
  act(world, "MbROaK");
  EXPECT_EQ(in_force(world), "A audit");
  act(world, "M");
  EXPECT_EQ(in_force(world), "A");
}

TEST(PolicyLife, WhatMayComeBackIsKeptReadyUntilItCannot) {
  World world(FilesLive::by_themselves);
  act(world, "SbC");
  EXPECT_TRUE(world.kernel.may_be_taken_back());
  act(world, "M");
  EXPECT_TRUE(world.kernel.may_be_taken_back());
  act(world, "F");
  EXPECT_FALSE(world.kernel.may_be_taken_back());
  act(world, "SaC");
  EXPECT_TRUE(world.kernel.may_be_taken_back());
  act(world, "tt");
  EXPECT_FALSE(world.kernel.may_be_taken_back());
}

TEST(PolicyLife, ConfirmingWhatIsLiveAlreadyGoesBackToNothing) {
  World world(FilesLive::by_themselves);
  act(world, "b");
  const auto outcome = world.life->reload({{"p.toml", "B", false}}, {}, kConfirmMs);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->changed);
  EXPECT_EQ(outcome->generation, world.life->live().number);
  EXPECT_FALSE(world.life->left_ms());
  act(world, "ttt");
  EXPECT_EQ(in_force(world), "B");
}

TEST(PolicyLife, EditsWhileOneIsPendingWaitForAReload) {
  World world(FilesLive::by_themselves);
  act(world, "SbCa");
  EXPECT_EQ(in_force(world), "B");
  act(world, "F");
  EXPECT_EQ(in_force(world), "B");
  EXPECT_TRUE(world.life->staging());
  act(world, "K");
  EXPECT_EQ(in_force(world), "B");
  act(world, "R");
  EXPECT_EQ(in_force(world), "A");
  EXPECT_FALSE(world.life->staging());
}

TEST(PolicyLife, WhatTheKernelRefusesLeavesNothing) {
  World world(FilesLive::by_reload);
  act(world, "bR");
  world.kernel.refuses = true;
  const auto before = world.disk.texts.size();
  for (const char what : {'R', 'C', 'M', 'B'}) {
    world.files = "A";
    EXPECT_FALSE(world.act(what)) << what;
    EXPECT_EQ(in_force(world), "B");
    EXPECT_EQ(world.disk.texts.size(), before);
    EXPECT_FALSE(world.disk.record->next);
    EXPECT_FALSE(world.life->left_ms());
  }
  world.kernel.refuses = false;
  act(world, "K");
  EXPECT_EQ(in_force(world), "B");
  act(world, "O");
  EXPECT_EQ(in_force(world), "B");
}

TEST(PolicyLife, GoingBackIsTriedAgain) {
  World world(FilesLive::by_reload);
  act(world, "bC");
  world.kernel.refuses = true;
  act(world, "tttt");
  EXPECT_EQ(in_force(world), "B");
  EXPECT_GT(world.life->due_ns(), world.now);
  EXPECT_LT(world.said.size(), 200u) << world.said;  // said once
  world.kernel.refuses = false;
  act(world, "t");
  EXPECT_EQ(in_force(world), "A");
}

TEST(PolicyLife, SealedNothingChangesAndTheDeadlineIsMadeUpFor) {
  World world(FilesLive::by_themselves);
  act(world, "SbC");
  world.kernel.is_sealed = true;
  for (const char what : {'R', 'C', 'M', 'B'}) EXPECT_FALSE(world.act(what)) << what;
  act(world, "ttK");
  EXPECT_EQ(in_force(world), "B");
  EXPECT_TRUE(world.life->left_ms());
  world.kernel.is_sealed = false;
  act(world, "t");
  EXPECT_EQ(in_force(world), "A");
}

TEST(PolicyLife, WithoutADiskNothingIsPromisedThatARestartForgets) {
  World world(FilesLive::by_reload);
  world.disk.full = true;
  world.files = "B";
  EXPECT_FALSE(world.act('C'));
  EXPECT_EQ(in_force(world), "A");
  EXPECT_TRUE(world.act('R'));  // for good: that it is in force is the kernel's to remember
  EXPECT_EQ(in_force(world), "B");
  EXPECT_NE(world.said.find("this policy will not be known after a restart"), std::string::npos);
}

TEST(PolicyLife, AFullDiskWhileOneIsPendingLosesNoDeadline) {
  World world(FilesLive::by_reload);
  act(world, "bC");
  world.disk.full = true;
  act(world, "M");
  EXPECT_FALSE(world.act('F'));
  EXPECT_TRUE(world.life->left_ms());
  act(world, "K");
  world.disk.full = false;
  EXPECT_TRUE(world.life->left_ms());
  act(world, "tt");
  EXPECT_EQ(in_force(world), "A");
}

TEST(PolicyLife, SettingTheClockMovesNoDeadline) {
  World world(FilesLive::by_reload);
  act(world, "bC");
  EXPECT_EQ(world.disk.record->now.deadline->at_ns, world.now + kConfirmMs * 1'000'000);
  EXPECT_EQ(world.disk.record->now.deadline->boot, "boot 1");
}

TEST(PolicyLife, TheConfirmedTextOutlivesManyChanges) {
  World world(FilesLive::by_reload);
  act(world, "bC");
  for (int i = 0; i < 100; i++) act(world, "M");
  act(world, "Ktt");
  EXPECT_EQ(in_force(world), "A");
}

}  // namespace
}  // namespace holdfast::daemon
