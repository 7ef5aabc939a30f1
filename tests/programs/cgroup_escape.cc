// SPDX-License-Identifier: Apache-2.0
// Attempts to get a held task out of its cgroup, or a foreign one in, that are no plain move. Each
// runs under holdfastd with the policy of tests/vm.d/cgroup_escape.test and prints what became of
// it.
#include <grp.h>
#include <sys/xattr.h>

#include <functional>
#include <map>
#include <thread>

#include "cgroup_ways.h"
#include "thirdparty_tap.h"

namespace {

using ways::kRoot;
using ways::Victim;
using ways::write_file;

std::string cgroup_of(pid_t pid, pid_t tid) {
  const std::string path =
      "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/cgroup";
  char text[4096] = {};
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0) return "?";
  close(fd);
  const char* at = std::strstr(text, "0::");
  return at ? std::string(at + 3, std::strcspn(at + 3, "\n")) : "?";
}

// Runs `act` in a process of its own in `cgroup`; gives what it gave.
int in_cgroup(const std::string& cgroup, const std::function<int()>& act) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (write_file(kRoot + "/boss/cgroup.procs", "0")) _exit(101);
    if (write_file(kRoot + cgroup + "/cgroup.procs", "0")) _exit(102);
    _exit(act());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

// A sleeper in a cgroup, until killed.
pid_t sleeper(const std::string& cgroup) {
  int ready[2];
  if (pipe(ready) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    write_file(kRoot + "/boss/cgroup.procs", "0");
    write_file(kRoot + cgroup + "/cgroup.procs", "0");
    if (write(ready[1], "", 1) < 0) _exit(1);
    for (;;) pause();
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) std::abort();
  close(ready[0]);
  close(ready[1]);
  return pid;
}

void end(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

void expect(const char* name, int got, int wanted) { thirdparty::is(got, wanted, name); }

void unmarked_helper() {
  const pid_t held = sleeper("/web");
  expect("an unmarked helper moves a held task: EPERM",
         in_cgroup("/free",
                   [&] {
                     return ways::other_pid({held, held}, "/free");
                   }),
         EPERM);
  thirdparty::check(cgroup_of(held, held) == "/web", "and it is where it was");
  end(held);
}

void recreated_cgroup() {
  const pid_t held = sleeper("/web");
  expect("a held cgroup cannot be renamed",
         rename((kRoot + "/web").c_str(), (kRoot + "/new").c_str()) ? errno : 0, EPERM);
  expect("a cgroup with tasks cannot be removed", rmdir((kRoot + "/web").c_str()) ? errno : 0,
         EBUSY);
  end(held);
  expect("an empty one can", rmdir((kRoot + "/web").c_str()) ? errno : 0, 0);
  expect("and be made again", mkdir((kRoot + "/web").c_str(), 0755) ? errno : 0, 0);
  const pid_t again = sleeper("/web");
  expect("it holds as before",
         in_cgroup("/free",
                   [&] {
                     return ways::other_pid({again, again}, "/free");
                   }),
         EPERM);
  expect("and takes nobody in", in_cgroup("/free", [&] { return ways::own_pid({}, "/web"); }),
         EPERM);
  end(again);
}

// A cgroup that matches a pattern, joined the moment it appears.
void window_of_a_new_cgroup() {
  int through = 0;
  for (int i = 0; i < 50; i++) {
    const std::string at = "/users/user-" + std::to_string(i);
    std::atomic<bool> stop = false;
    std::thread racer([&] {
      while (!stop)
        if (write_file(kRoot + at + "/cgroup.procs", "0") == 0) through++;
    });
    mkdir((kRoot + at).c_str(), 0755);
    usleep(2000);
    stop = true;
    racer.join();
    rmdir((kRoot + at).c_str());
  }
  expect("a new cgroup that a pattern binds is never open", through, 0);
}

// The pid of a dead mover, or of a dead victim, says nothing.
void pid_reuse() {
  const pid_t first = sleeper("/boss");
  end(first);
  std::string text = std::to_string(first - 1);
  write_file("/proc/sys/kernel/ns_last_pid", text);
  const int got = in_cgroup("/free", [&] {
    const pid_t held = fork();
    if (held == 0) {
      for (;;) pause();
    }
    const int error = ways::other_pid({held, held}, "/web");
    end(held);
    return error;
  });
  expect("a mover's pid used again is no mover", got, EPERM);
}

// The leader is elsewhere; a write of its pid would take the thread in /tree/held along.
void thread_behind_its_leader() {
  const int got = in_cgroup("/tree", [&] {
    std::atomic<pid_t> tid = 0;
    std::thread held([&] {
      tid = gettid();
      for (;;) pause();
    });
    while (tid == 0) usleep(1000);
    if (write_file(kRoot + "/tree/held/cgroup.threads", std::to_string(tid))) return 110;
    if (cgroup_of(getpid(), tid) != "/tree/held") return 111;
    const int error = ways::own_pid({}, "/free");
    if (cgroup_of(getpid(), tid) != "/tree/held") return 112;
    _exit(error);
  });
  expect("a thread cannot be taken out with its leader", got, EPERM);
}

// A thread between threaded cgroups.
void threads_file() {
  const auto try_to = [&](const std::string& to) {
    return in_cgroup("/tree", [&] {
      std::atomic<pid_t> tid = 0;
      std::thread held([&] {
        tid = gettid();
        for (;;) pause();
      });
      while (tid == 0) usleep(1000);
      if (write_file(kRoot + "/tree/held/cgroup.threads", std::to_string(tid))) return 110;
      _exit(ways::thread({getpid(), tid}, to));
    });
  };
  expect("cgroup.threads: out of the profile is refused", try_to("/tree"), EPERM);
  expect("cgroup.threads: source is destination", try_to("/tree/held"), 0);
}

void delegated() {
  const std::string lxc = kRoot + "/lxc";
  const auto move = [&](const std::string& from, const std::string& to) {
    const pid_t task = sleeper(from);
    const int error = in_cgroup("/free", [&] { return ways::other_pid({task, task}, to); });
    end(task);
    return error;
  };
  expect("delegated before the start: inside it is free", move("/lxc/old/a", "/lxc/old/b"), 0);
  expect("not delegated: inside is refused", move("/lxc/a", "/lxc/b"), EPERM);
  expect("out of the delegated subtree is refused", move("/lxc/old/a", "/lxc/b"), EPERM);
  const auto set = [&] {
    return setxattr((lxc + "/new").c_str(), "trusted.delegate", "1", 1, 0) ? errno : 0;
  };
  expect("delegating takes a mover", in_cgroup("/free", set), EPERM);
  expect("still refused", move("/lxc/new/a", "/lxc/new/b"), EPERM);
  for (const char* other : {"trusted.delegate2", "trusted.delegat"}) {
    const auto name = [&] {
      return setxattr((lxc + "/new").c_str(), other, "1", 1, 0) ? errno : 0;
    };
    expect((std::string(other) + " may be set").c_str(), in_cgroup("/free", name), 0);
    expect("and delegates nothing", move("/lxc/new/a", "/lxc/new/b"), EPERM);
  }
  expect("a mover delegates", in_cgroup("/boss", set), 0);
  expect("delegated now: inside it is free", move("/lxc/new/a", "/lxc/new/b"), 0);
  const auto take = [&] {
    return removexattr((lxc + "/new").c_str(), "trusted.delegate") ? errno : 0;
  };
  expect("taking it back takes a mover, too", in_cgroup("/free", take), EPERM);
  expect("a mover takes it back", in_cgroup("/boss", take), 0);
  expect("refused again", move("/lxc/new/a", "/lxc/new/b"), EPERM);
}

// Root of a user namespace that owns the files, with a mount of its own.
void user_namespace_root() {
  mkdir("/tmp/mine", 0755);
  const int got = in_cgroup("/web", [&] {
    for (const char* at : {"/web", "/web/sub", "/free/sub"}) {
      mkdir((kRoot + at).c_str(), 0755);
      if (chown((kRoot + at + "/cgroup.procs").c_str(), 1000, 1000)) return 110;
    }
    if (setgroups(0, nullptr) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
      return 111;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP)) return 112;
    if (mount("none", "/tmp/mine", "cgroup2", 0, nullptr)) return 113;
    return write_file("/tmp/mine/sub/cgroup.procs", "0");
  });
  expect("userns-root moves down inside its profile", got, 0);
  const int out = in_cgroup("/web", [&] {
    if (chown((kRoot + "/cgroup.procs").c_str(), 1000, 1000)) return 110;
    if (setgroups(0, nullptr) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
      return 111;
    if (unshare(CLONE_NEWUSER)) return 112;
    return write_file(kRoot + "/free/sub/cgroup.procs", "0");
  });
  expect("and, owning every file, not out of it", out, EPERM);
}

}  // namespace

// `cgroup_escape prepare`: before holdfastd is there. `cgroup_escape FIRST`: the attempts, numbered
// from FIRST.
int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "1";
  if (what == "prepare")
    return setxattr((kRoot + "/lxc/old").c_str(), "trusted.delegate", "1", 1, 0) ? 1 : 0;
  thirdparty::tap_number = std::stoi(what) - 1;
  unmarked_helper();
  recreated_cgroup();
  window_of_a_new_cgroup();
  pid_reuse();
  threads_file();
  thread_behind_its_leader();
  delegated();
  user_namespace_root();
  return thirdparty::tap_failed == 0 ? 0 : 1;
}
