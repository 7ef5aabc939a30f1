// SPDX-License-Identifier: Apache-2.0
// Every way to move a task, refused and allowed, with exactly the event that it has to cause.
//
//   /t/web   leave = ["boss"], join = ["boss"]; its members are the victims
//   /t/self  leave = ["self"], join = ["self", "boss"]: members move themselves out
//   /t/boss  the movers
//   /t/free  nobody's
#include <thread>

#include "backend/machine.h"
#include "cgroup_ways.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/files/text_file.h"
#include "thirdparty_tap.h"

namespace {

using namespace holdfast;
using thirdparty::check;
using ways::kRoot;
using ways::Victim;

enum : std::uint16_t { kNobody, kWeb, kSelf, kBoss, kProfiles };

std::vector<hf_event> events;
std::unique_ptr<backend::Machine> machine;

std::unique_ptr<hf_tables> make_tables() {
  auto t = std::make_unique<hf_tables>();
  t->magic = HF_TABLES_MAGIC;
  t->version = HF_ABI_VERSION;
  t->length = sizeof(hf_tables);
  t->profile_count = kProfiles;
  t->mover_set_count = 3;
  t->any_cgroup_rules = 1;
  t->mover_sets[0].bits[0] = 1u << kBoss;
  t->mover_sets[1].bits[0] = 1u << kSelf;
  t->mover_sets[2].bits[0] = 1u << kSelf | 1u << kBoss;
  for (hf_profile& p : t->profiles) p.ns_create = HF_NS_ALL;
  for (const auto number : {kWeb, kSelf}) {
    hf_profile& p = t->profiles[number];
    p.log = HF_LOG_ALL;
    p.cg_leave = HF_MOVERS_LIST;
    p.leave_set = number == kWeb ? 0 : 1;
    p.cg_join = HF_MOVERS_LIST;
    p.join_set = number == kWeb ? 0 : 2;
    p.rules[HF_RULE_CG_LEAVE] = 10u * number;
    p.rules[HF_RULE_CG_JOIN] = 10u * number + 1;
    p.rules[HF_RULE_CG_INSIDE] = 10u * number + 2;
  }
  return t;
}

std::string cgroup_of(pid_t pid) {
  const auto text = kernel::read_text_file("/proc/" + std::to_string(pid) + "/cgroup");
  if (!text) return "?";
  const std::size_t at = text->find("0::");
  return text->substr(at + 3, text->find('\n', at) - at - 3);
}

// A process with two threads, started in a cgroup by a boss; ends with this object.
class VictimProcess {
 public:
  explicit VictimProcess(const std::string& cgroup) {
    int ready[2];
    if (pipe(ready) != 0) std::abort();
    victim_.pid = fork();
    if (victim_.pid == 0) {
      // What is attached stays so while any process has its descriptors.
      const int keep = dup2(ready[1], 3);
      close_range(static_cast<unsigned>(keep) + 1, ~0u, 0);
      ways::write_file(kRoot + "/t/boss/cgroup.procs", "0");
      ways::write_file(kRoot + cgroup + "/cgroup.procs", "0");
      std::thread idle([&] {
        const pid_t tid = gettid();
        if (write(keep, &tid, sizeof(tid)) < 0) _exit(1);
        for (;;) pause();
      });
      idle.join();
    }
    if (read(ready[0], &victim_.tid, sizeof(victim_.tid)) != sizeof(victim_.tid)) std::abort();
    close(ready[0]);
    close(ready[1]);
  }
  ~VictimProcess() {
    kill(victim_.pid, SIGKILL);
    waitpid(victim_.pid, nullptr, 0);
  }
  VictimProcess(const VictimProcess&) = delete;
  VictimProcess& operator=(const VictimProcess&) = delete;
  [[nodiscard]] const Victim& get() const { return victim_; }

 private:
  Victim victim_;
};

using Way = int (*)(const Victim&, const std::string&);

// Runs `way` in a process that is in `cgroup`, and leaves it to the caller to look before it ends.
class Mover {
 public:
  Mover(const std::string& cgroup, Way way, const Victim& victim, const std::string& to) {
    if (pipe(result_) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      ways::write_file(kRoot + "/t/boss/cgroup.procs", "0");
      ways::write_file(kRoot + cgroup + "/cgroup.procs", "0");
      const int go = 0;
      if (write(result_[1], &go, sizeof(go)) < 0) _exit(1);
      raise(SIGSTOP);
      const int error = way(victim, to);
      if (write(result_[1], &error, sizeof(error)) < 0) _exit(1);
      for (;;) pause();
    }
    (void)next();
    waitpid(pid_, nullptr, WUNTRACED);
  }
  ~Mover() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(result_[0]);
    close(result_[1]);
  }
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;
  int move() {
    kill(pid_, SIGCONT);
    return next();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  int next() {
    int value = -1;
    if (read(result_[0], &value, sizeof(value)) != sizeof(value)) std::abort();
    return value;
  }
  int result_[2];
  pid_t pid_;
};

std::uint64_t id_of(const std::string& cgroup) {
  const auto id = kernel::cgroup_id(kRoot + cgroup);
  return id ? *id : 0;
}

enum class Moves { victim, itself, child };  // whom a way moves

struct Case {
  const char* name;
  Way way;
  std::uint16_t wanted_way;
  Moves moves;
};

constexpr Case kCases[] = {
    {"own pid", ways::own_pid, HF_VIA_CGROUP_PROCS, Moves::itself},
    {"0", ways::zero, HF_VIA_CGROUP_PROCS, Moves::itself},
    {"another pid", ways::other_pid, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"a tid that does not lead", ways::other_tid, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"clone3", ways::clone_plain, HF_VIA_CLONE_INTO_CGROUP, Moves::child},
    {"clone3 with VFORK", ways::clone_vfork, HF_VIA_CLONE_INTO_CGROUP, Moves::child},
    {"clone3 with VM and VFORK", ways::clone_vm, HF_VIA_CLONE_INTO_CGROUP, Moves::child},
    {"a second mount", ways::second_mount, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"a cgroup namespace", ways::cgroup_namespace, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"io_uring", ways::io_uring_write, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"an inherited descriptor", ways::inherited_fd, HF_VIA_CGROUP_PROCS, Moves::victim},
    {"a descriptor passed by SCM_RIGHTS", ways::passed_fd, HF_VIA_CGROUP_PROCS, Moves::victim},
};

struct Expected {
  std::uint8_t action;
  std::uint16_t reason;
  std::uint32_t rule;
  std::uint16_t subject;
};

// The one event since the last look says exactly what happened.
void check_event(const Case& c, const std::string& name, const Expected& want,
                 const std::string& from, const std::string& to, pid_t mover, pid_t moved) {
  if (!check(events.size() == 1, name + ": one event")) {
    std::printf("# %zu events\n", events.size());
    return;
  }
  const hf_event& e = events.front();
  const bool verdict = e.verdict.action == want.action && e.verdict.reason == want.reason &&
                       e.verdict.rule == want.rule && e.verdict.mode == HF_MODE_ENFORCE;
  const bool request = e.request.op == HF_OP_CGROUP_ATTACH && e.request.via == c.wanted_way &&
                       e.request.subject == want.subject && e.request.flags == HF_REQ_THREADGROUP;
  const bool places = e.source == id_of(from) && e.target == id_of(to);
  const bool tasks = e.actor.tgid == static_cast<__u32>(mover) &&
                     (moved == 0 || (e.object.pid == static_cast<__u32>(moved) &&
                                     e.object.tgid == static_cast<__u32>(moved)));
  if (check(verdict && request && places && tasks, name + ": the event is exact")) return;
  std::printf(
      "# verdict %d request %d places %d tasks %d: action %u reason %u rule %u way %u flags %x "
      "subject %u source %llu target %llu actor %u object %u/%u, mover %d moved %d\n",
      verdict, request, places, tasks, e.verdict.action, e.verdict.reason, e.verdict.rule,
      e.request.via, e.request.flags, e.request.subject, e.source, e.target, e.actor.tgid,
      e.object.pid, e.object.tgid, mover, moved);
}

void drain() {
  if (auto read = machine->dispatch(); !read) std::abort();
}

void run_case(const Case& c, bool allowed) {
  const bool self = c.moves != Moves::victim;
  const std::string from = !self ? "/t/web/deep" : allowed ? "/t/self" : "/t/web/deep";
  const std::string to = "/t/free";
  const std::uint16_t subject = !self ? (allowed ? kBoss : kNobody) : (allowed ? kSelf : kWeb);
  const std::string name = std::string(allowed ? "allowed: " : "refused: ") + c.name;
  ways::given_fd = open((kRoot + to + "/cgroup.procs").c_str(), O_WRONLY);
  const VictimProcess victim("/t/web/deep");
  Mover mover(self ? from : allowed ? "/t/boss" : "/t/free", c.way, victim.get(), to);
  const pid_t moved = c.moves == Moves::victim   ? victim.get().pid
                      : c.moves == Moves::itself ? mover.pid()
                                                 : 0;
  drain();
  events.clear();
  const int error = mover.move();
  drain();
  thirdparty::is(error, allowed ? 0 : EPERM, name + ": errno");
  if (moved) {
    const std::string at = cgroup_of(moved);
    if (!check(at == (allowed ? to : from), name + (allowed ? ": moved" : ": nothing moved")))
      std::printf("# at %s\n", at.c_str());
  }
  const std::uint32_t rule = (self && allowed ? kSelf : kWeb) * 10u;
  const Expected want = allowed ? Expected{HF_ALLOW, HF_REASON_RULE, rule, subject}
                                : Expected{HF_DENY, HF_REASON_LEAVE, rule, subject};
  check_event(c, name, want, from, to, mover.pid(), moved);
  close(ways::given_fd);
}

struct Step {
  const char* name;
  const char* from;
  const char* to;
  const char* mover;
  int wanted;
  std::uint16_t reason;
};

constexpr Step kSteps[] = {
    {"up within a profile", "/t/web/deep", "/t/web", "/t/free", 0, HF_REASON_RULE},
    {"down within a profile", "/t/web", "/t/web/deep", "/t/free", 0, HF_REASON_RULE},
    {"source is destination", "/t/web", "/t/web", "/t/free", 0, HF_REASON_SAME_CGROUP},
    {"out to the root", "/t/web", "", "/t/free", EPERM, HF_REASON_LEAVE},
    {"out to a sibling", "/t/web", "/t/free", "/t/free", EPERM, HF_REASON_LEAVE},
    {"in by nobody", "/t/free", "/t/web/deep", "/t/free", EPERM, HF_REASON_JOIN},
    {"in by a mover", "/t/free", "/t/web/deep", "/t/boss", 0, HF_REASON_RULE},
    {"between two profiles by nobody", "/t/web", "/t/self", "/t/free", EPERM, HF_REASON_LEAVE},
};

void run_step(const Step& step) {
  const VictimProcess victim(step.from);
  Mover mover(step.mover, ways::other_pid, victim.get(), step.to);
  drain();
  events.clear();
  thirdparty::is(mover.move(), step.wanted, std::string(step.name) + ": errno");
  drain();
  const bool seen = events.size() == 1 && events.front().verdict.reason == step.reason;
  // Nobody's rule decides about a move that changes nothing: nothing is logged.
  const bool silent = step.reason == HF_REASON_SAME_CGROUP && events.empty();
  check(seen || silent, std::string(step.name) + ": reason");
}

void make_tree() {
  for (const char* at : {"/t", "/t/web", "/t/web/deep", "/t/self", "/t/boss", "/t/free"})
    if (auto made = kernel::make_cgroup(kRoot + at); !made) std::abort();
}

}  // namespace

int main() {
  const auto tables = make_tables();
  backend::MachineSpec spec;
  spec.tables = tables.get();
  spec.bindings = {{"/t/web", kWeb}, {"/t/self", kSelf}, {"/t/b*s", kBoss}};
  auto attached =
      backend::attach_machine(spec, [](const hf_event& event) { events.push_back(event); });
  if (!check(static_cast<bool>(attached), "attached, with the self-test refused")) {
    std::printf("# %s\n", attached.error().message().c_str());
    return thirdparty::tap_end();
  }
  machine = *std::move(attached);
  make_tree();  // after the policy: cgroups that appear later belong to it at once
  for (const Case& c : kCases) {
    run_case(c, false);
    run_case(c, true);
  }
  for (const Step& step : kSteps) run_step(step);
  drain();
  const backend::Totals totals = machine->totals();
  thirdparty::is(static_cast<long long>(totals.errors), 0, "no fact was missing");
  thirdparty::is(static_cast<long long>(totals.lost), 0, "no event was lost");
  {
    const VictimProcess victim("/t/web");
    machine.reset();
    thirdparty::is(ways::other_pid(victim.get(), "/t/free"), 0,
                   "moves are free again after detach");
  }
  return thirdparty::tap_end();
}
