// SPDX-License-Identifier: Apache-2.0
// Moves by eight tasks while the policy is replaced as fast as it can be, with a fork storm beside
// it.
//
// Two policies take turns that say the same with the profiles' numbers exchanged: out of /s/held is
// always refused, out of /s/open always allowed. A decision that mixed the tables of one with the
// bindings of the other would say the opposite. Every attempt is counted by who made it and by the
// programs.
#include <atomic>
#include <chrono>
#include <vector>

#include "backend/machine.h"
#include "cgroup_ways.h"
#include "kernel/cgroup/cgroup.h"
#include "thirdparty_tap.h"

namespace {

using namespace holdfast;
using ways::kRoot;
using ways::write_file;

constexpr int kMovers = 8;

struct Shared {
  std::atomic<bool> stop;
  std::atomic<long> attempts, allowed, refused, through, held_up, odd;
};

std::unique_ptr<hf_tables> tables_with_held(std::uint16_t held) {
  auto t = std::make_unique<hf_tables>();
  t->magic = HF_TABLES_MAGIC;
  t->version = HF_ABI_VERSION;
  t->length = sizeof(hf_tables);
  t->profile_count = 3;
  t->mover_set_count = 1;
  t->any_cgroup_rules = 1;
  for (hf_profile& p : t->profiles) {
    p.ns_create = HF_NS_ALL;
    p.log = HF_LOG_NONE;
  }
  t->profiles[held].cg_leave = HF_MOVERS_LIST;
  return t;
}

backend::MachineSpec spec_of(const hf_tables& tables, std::uint16_t held) {
  backend::MachineSpec spec;
  spec.tables = &tables;
  spec.bindings = {{"/s/held", held}, {"/s/op*", static_cast<std::uint16_t>(3 - held)}};
  return spec;
}

int victim_in(const std::string& cgroup) {
  const pid_t pid = fork();
  if (pid == 0) {
    close_range(3, ~0u, 0);
    for (;;) pause();
  }
  write_file(kRoot + cgroup + "/cgroup.procs", std::to_string(pid));
  return pid;
}

// Tries to take one victim out of /s/held, and moves another out of /s/open and back, by turns.
void move_all_the_time(Shared& shared) {
  const pid_t held = victim_in("/s/held");
  const pid_t open = victim_in("/s/open");
  shared.attempts += 2;
  shared.allowed += 2;
  const auto attempt = [&](pid_t pid, const char* to) {
    shared.attempts++;
    const int error = write_file(kRoot + to + "/cgroup.procs", std::to_string(pid));
    if (error == 0)
      shared.allowed++;
    else if (error == EPERM)
      shared.refused++;
    else
      shared.odd++;
    return error;
  };
  while (!shared.stop) {
    if (attempt(held, "/s/free") == 0) {
      shared.through++;
      attempt(held, "/s/held");
    }
    if (attempt(open, "/s/free") != 0) shared.held_up++;
    attempt(open, "/s/open");
  }
  kill(held, SIGKILL);
  kill(open, SIGKILL);
}

void fork_all_the_time(const Shared& shared) {
  while (!shared.stop) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, nullptr, 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long wanted = argc > 1 ? std::atol(argv[1]) : 100000;
  const auto limit = std::chrono::seconds(argc > 2 ? std::atol(argv[2]) : 60);
  const auto first = tables_with_held(1);
  const auto second = tables_with_held(2);
  auto attached = backend::attach_machine(spec_of(*first, 1), [](const hf_event&) {});
  if (!thirdparty::check(static_cast<bool>(attached), "attached")) {
    std::printf("# %s\n", attached.error().message().c_str());
    return thirdparty::tap_end();
  }
  const auto machine = *std::move(attached);
  for (const char* at : {"/s", "/s/held", "/s/open", "/s/free"})
    if (auto made = kernel::make_cgroup(kRoot + at); !made) return 1;
  auto* shared =
      new (mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          Shared();
  std::vector<pid_t> children;
  for (int i = 0; i <= kMovers; i++) {
    const pid_t pid = fork();
    if (pid == 0) {
      if (i < kMovers)
        move_all_the_time(*shared);
      else
        fork_all_the_time(*shared);
      _exit(0);
    }
    children.push_back(pid);
  }
  const auto end = std::chrono::steady_clock::now() + limit;
  long updates = 0;
  bool updated = true;
  while (updated && shared->attempts < wanted && std::chrono::steady_clock::now() < end) {
    const bool odd = updates++ % 2 == 0;
    updated = static_cast<bool>(machine->update(odd ? spec_of(*second, 2) : spec_of(*first, 1)));
  }
  shared->stop = true;
  for (const pid_t pid : children) waitpid(pid, nullptr, 0);
  const backend::Totals totals = machine->totals();
  std::printf("# %ld attempts, %ld allowed, %ld refused, %ld updates of the policy\n",
              shared->attempts.load(), shared->allowed.load(), shared->refused.load(), updates);
  thirdparty::check(updated, "every update succeeded");
  thirdparty::is(shared->through, 0, "no held task got through");
  thirdparty::is(shared->held_up, 0, "no free task was held up");
  thirdparty::is(shared->odd, 0, "no move failed for another reason");
  thirdparty::is(static_cast<long long>(totals.allowed), shared->allowed,
                 "each allowed move is accounted for");
  thirdparty::is(static_cast<long long>(totals.denied), shared->refused,
                 "each refused move is accounted for");
  thirdparty::is(static_cast<long long>(totals.errors), 0, "no fact was missing");
  return thirdparty::tap_end();
}
