// SPDX-License-Identifier: Apache-2.0
// Loads thirdparty_cgroup.bpf.o as any program would, and moves tasks in every way there is.
//
//     thirdparty_cgroup
//     thirdparty_cgroup --scope           the program is limited to the cgroup /scoped
//     thirdparty_cgroup --race SECONDS    tasks that share a processor move all the time
#include <bpf/bpf.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <ctime>
#include <string_view>
#include <thread>

#include "bpf/thirdparty_cgroup.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

const std::string kRoot = "/sys/fs/cgroup/";

unsigned long long id_of(const std::string& cgroup) {
  struct stat status {};
  return stat((kRoot + cgroup).c_str(), &status) == 0 ? status.st_ino : 0;
}

struct LastEvent {
  unsigned long long source, destination, count, magic;
  unsigned pid, tgid, parent, mover, threadgroup, cgroup_ns;
  char comm[16];
};

LastEvent last_event(const thirdparty_cgroup_bpf* skeleton) {
  LastEvent event{};
  const unsigned zero = 0;
  bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.last), &zero, &event);
  return event;
}

int move(const std::string& cgroup, long pid, const char* file = "cgroup.procs") {
  const int fd = open((kRoot + cgroup + "/" + file).c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const std::string text = std::to_string(pid);
  const int result = write(fd, text.data(), text.size()) < 0 ? errno : 0;
  close(fd);
  return result;
}

// A child made inside a cgroup: 0 or the errno of clone3().
int clone_into(const std::string& cgroup, pid_t* made = nullptr) {
  const int fd = open((kRoot + cgroup).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned>(fd);
  const long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  const int result = child < 0 ? errno : 0;
  if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
  if (made != nullptr) *made = static_cast<pid_t>(child);
  close(fd);
  return result;
}

pid_t sleeper() {
  const pid_t child = fork();
  if (child == 0) {
    close_range(0, ~0U, 0);
    pause();
    _exit(0);
  }
  return child;
}

void try_moves(const thirdparty_cgroup_bpf* skeleton) {
  const pid_t child = sleeper();
  LastEvent before = last_event(skeleton);
  is(move("allowed", child), 0, "another task moves");
  LastEvent event = last_event(skeleton);
  is(static_cast<long long>(event.count - before.count), 1, "the program ran once");
  is(event.pid, child, "it saw the moved task");
  is(event.parent, getpid(), "and what that points at");
  is(event.mover, getpid(), "and who moves it");
  check(std::string_view(event.comm) == "thirdparty_cgro", "and its name");
  is(static_cast<long long>(event.destination), static_cast<long long>(id_of("allowed")),
     "the destination");
  is(static_cast<long long>(event.source), static_cast<long long>(id_of("")), "the source");
  is(event.threadgroup, 1, "threadgroup");
  is(static_cast<long long>(event.magic), 0x63677270, "the superblock");
  const int ns_fd = open("/proc/self/ns/cgroup", O_RDONLY);
  is(event.cgroup_ns, inum_of(ns_fd), "the cgroup namespace");
  close(ns_fd);

  is(move("denied", child), EPERM, "cgroup.procs: refused");
  is(move("denied", 0), EPERM, "cgroup.procs, itself: refused");
  is(move("allowed", child), 0, "a move to where it is works");
  is(move("denied", 0x7ffffff), ESRCH, "a task that does not exist: the kernel's own error");
  is(clone_into("denied"), EPERM, "clone3: refused");
  is(move("busy", child), EBUSY, "cgroup.procs: refused with the program's errno");
  is(clone_into("busy"), EBUSY, "clone3: refused with the program's errno");
  pid_t made = 0;
  is(clone_into("allowed", &made), 0, "clone3 elsewhere works");
  event = last_event(skeleton);
  is(event.pid, made, "clone3: it saw the new task");
  is(event.mover, getpid(), "clone3: and who makes it");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

void try_threads(const thirdparty_cgroup_bpf* skeleton) {
  pid_t thread_id = 0;
  std::thread([&] {
    thread_id = gettid();
    is(move("threads/a", 0, "cgroup.threads"), 0, "a thread moves");
    is(move("threads/b", 0, "cgroup.threads"), EPERM, "cgroup.threads: refused");
  }).join();
  const LastEvent event = last_event(skeleton);
  is(event.pid, thread_id, "it saw the thread");
  is(event.tgid, getpid(), "of this process");
  is(event.threadgroup, 0, "not its group");
}

void make_cgroups() {
  for (const char* name : {"allowed", "denied", "busy", "scoped", "scoped/deep", "scoped/deny",
                           "threads", "threads/a", "threads/b"}) {
    mkdir((kRoot + name).c_str(), 0755);
  }
  for (const char* name : {"threads/a", "threads/b"}) {
    const int fd = open((kRoot + name + "/cgroup.type").c_str(), O_WRONLY);
    check(write(fd, "threaded", 8) == 8, std::string(name) + " is threaded");
    close(fd);
  }
}

void deny(const thirdparty_cgroup_bpf* skeleton, const char* cgroup, unsigned char error = EPERM) {
  const unsigned long long id = id_of(cgroup);
  bpf_map_update_elem(bpf_map__fd(skeleton->maps.denied_cgroups), &id, &error, BPF_ANY);
}

void try_scope(const thirdparty_cgroup_bpf* skeleton) {
  const pid_t child = sleeper();
  const unsigned long long before = last_event(skeleton).count;
  is(move("denied", child), 0, "a task outside the scope moves");
  is(move("scoped/deep", child), 0, "it moves into the scope");
  is(static_cast<long long>(last_event(skeleton).count - before), 0, "and the program did not run");
  is(move("denied", child), EPERM, "a task in the scope is refused");
  is(last_event(skeleton).pid, child, "the program saw it");
  is(move("allowed", child), 0, "it may go elsewhere");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

// A verdict that gets lost is a refusal.
void try_without_room() {
  const pid_t child = sleeper();
  {
    const NoRoom no_room;
    check(no_room.full(), "no room for verdicts");
    is(move("allowed", child), EPERM, "cgroup.procs: refused for want of a verdict");
    is(clone_into("allowed"), EPERM, "clone3: refused for want of a verdict");
  }
  is(move("allowed", child), 0, "with room it moves again");
  is(clone_into("allowed"), 0, "and clone3 works again");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

constexpr int kRacers = 4;

struct Counts {
  unsigned long through, held, moved, refused;
};

void race_until(time_t end, Counts& counts) {
  while (time(nullptr) < end) {
    for (int i = 0; i < 50; i++) {
      const bool clone = i % 10 == 9;
      const int into_denied = clone ? clone_into("denied") : move("denied", 0);
      const int into_allowed = clone ? clone_into("allowed") : move(i % 2 == 0 ? "allowed" : "", 0);
      (into_denied == EPERM ? counts.held : counts.through)++;
      (into_allowed == 0 ? counts.moved : counts.refused)++;
    }
  }
}

void race(int seconds) {
  auto* counts =
      static_cast<Counts*>(mmap(nullptr, sizeof(Counts) * kRacers, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const time_t end = time(nullptr) + seconds;
  for (int i = 0; i < kRacers; i++) {
    if (fork() != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    race_until(end, counts[i]);
    _exit(0);
  }
  while (wait(nullptr) > 0) {
  }
  Counts total{};
  for (int i = 0; i < kRacers; i++) {
    total.through += counts[i].through;
    total.held += counts[i].held;
    total.moved += counts[i].moved;
    total.refused += counts[i].refused;
  }
  std::printf("# %d tasks: %lu moves that are denied, %lu through; %lu that are not, %lu refused\n",
              kRacers, total.held + total.through, total.through, total.moved + total.refused,
              total.refused);
  check(total.held > 500, "the race was run");
  is(static_cast<long long>(total.through), 0, "nobody got through");
  is(static_cast<long long>(total.refused), 0, "no move was refused that is not denied");
}

}  // namespace

int main(int argc, char** argv) {
  const bool scoped = argc == 2;
  make_cgroups();
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  const int scope_fd = open((kRoot + "scoped").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (scoped) holdfast_hooks_limit_to_cgroup(scope_fd);
  thirdparty_cgroup_bpf* skeleton = thirdparty_cgroup_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_cgroup_bpf__attach(skeleton) == 0, "it attaches")) {
    return tap_end();
  }
  deny(skeleton, "denied");
  deny(skeleton, "threads/b");
  deny(skeleton, "busy", EBUSY);
  if (scoped) {
    try_scope(skeleton);
    return tap_end();
  }
  if (argc > 2) {
    race(std::atoi(argv[2]));
    return tap_end();
  }
  try_moves(skeleton);
  if (!kernel_has("bpf_lsm_cgroup_attach")) try_without_room();
  is(move("threads", 0), 0, "into the threaded subtree");
  try_threads(skeleton);
  is(move("", 0), 0, "back out");
  const unsigned long long before = last_event(skeleton).count;
  thirdparty_cgroup_bpf__detach(skeleton);
  is(in_child([] { return move("denied", 0); }), 0, "free after it is detached");
  is(static_cast<long long>(last_event(skeleton).count - before), 0,
     "and the program does not run");
  return tap_end();
}
