// SPDX-License-Identifier: Apache-2.0
// Loads thirdparty_alloc.bpf.o, which is asked before namespaces are made, on a kernel without the hook.
//
//     thirdparty_alloc             every type, and every way to make one
//     thirdparty_alloc --race S    four tasks on one processor, for S seconds
#include <bpf/libbpf.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <thread>

#include "bpf/thirdparty_alloc.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

constexpr unsigned kAll = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET |
                          CLONE_NEWCGROUP | CLONE_NEWTIME;
constexpr long kIsRefused = EDQUOT;

int int80(long number, long first) {
  long result = 0;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(first), "c"(0L), "d"(0L)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(-result);
}

int unshare_errno(unsigned types) { return unshare(static_cast<int>(types)) == 0 ? 0 : errno; }
int unshare_errno_by_int80(unsigned types) { return int80(310, static_cast<long>(types)); }
int unshare_errno_in_thread(unsigned types) {
  int error = 0;
  std::thread([&error, types] { error = unshare_errno(types); }).join();
  return error;
}

int end_of(long child) {
  if (child < 0) return errno;
  if (child == 0) _exit(0);
  waitpid(static_cast<pid_t>(child), nullptr, 0);
  return 0;
}
int clone_errno(unsigned types) {
  return end_of(syscall(SYS_clone, types | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}
int clone3_errno(unsigned types) {
  clone_args arguments{};
  arguments.flags = types;
  arguments.exit_signal = SIGCHLD;
  return end_of(syscall(SYS_clone3, &arguments, sizeof arguments));
}

// "uts:[4026531838]"
std::string own_link(const Type& type) {
  char text[64] = {};
  return readlink(ns_path(type).c_str(), text, sizeof text - 1) > 0 ? text : "";
}

struct Way {
  const char* name;
  int (*make)(unsigned types);
  bool keeps_errno;  // for every type; else only for user namespaces
};
constexpr Way kWays[] = {{"unshare", unshare_errno, false},
                         {"unshare by the 32-bit entry", unshare_errno_by_int80, false},
                         {"unshare in a thread", unshare_errno_in_thread, false},
                         {"clone", clone_errno, true},
                         {"clone3", clone3_errno, true}};

bool has_way(const Way& way, const Type& type) {
  if (way.make == clone_errno) return type.flag != CLONE_NEWTIME;  // these bits are a signal there
  if (way.make == unshare_errno_in_thread) return type.flag != CLONE_NEWUSER;
  return true;
}

thirdparty_alloc_bpf* attach_only(const char* name, holdfast_alloc_refusal refusal) {
  holdfast_hooks_alloc_refusal(refusal);
  thirdparty_alloc_bpf* skeleton = thirdparty_alloc_bpf__open();
  bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, name), true);
  if (thirdparty_alloc_bpf__load(skeleton) == 0 && thirdparty_alloc_bpf__attach(skeleton) == 0)
    return skeleton;
  std::printf("# %s\n", holdfast_hooks_error());
  thirdparty_alloc_bpf__destroy(skeleton);
  return nullptr;
}

void refuse(const thirdparty_alloc_bpf& skeleton, unsigned types) {
  const unsigned pid = static_cast<unsigned>(getpid());
  if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.refused), &pid, &types, BPF_ANY) != 0)
    _exit(252);
}

// What the program counted while a child, to which these types are refused, acted.
struct Counted {
  int result;
  unsigned long long asked, told;
};
Counted counted(thirdparty_alloc_bpf& skeleton, unsigned refused, const std::function<int()>& act) {
  auto& data = *skeleton.bss;
  data.asked = data.told = 0;
  data.asked_types = data.told_types = data.last_told = 0;
  const int result = in_child([&] {
    refuse(skeleton, refused);
    return act();
  });
  return {result, data.asked, data.told};
}

void try_ways(thirdparty_alloc_bpf& skeleton) {
  for (const Way& way : kWays) {
    for (const Type& type : kTypes) {
      if (!has_way(way, type)) continue;
      const auto flag = static_cast<unsigned>(type.flag);
      const std::string name = std::string(way.name) + ", " + type.name;
      const bool keeps_errno = way.keeps_errno || type.flag == CLONE_NEWUSER;
      const Counted no = counted(skeleton, flag, [&] {
        const std::string before = own_link(type);
        const int error = way.make(flag);
        return before == own_link(type) ? error : 250;
      });
      is(no.result, keeps_errno ? kIsRefused : EPERM, name + ": refused, and nothing was made");
      is(static_cast<long long>(no.asked), 1, name + ": asked once");
      is(skeleton.bss->asked_types, flag, name + ": with its type");
      const Counted yes = counted(skeleton, 0, [&] { return way.make(flag); });
      is(yes.result, 0, name + ": let through");
      is(static_cast<long long>(yes.asked), 1, name + ": asked once");
      is(static_cast<long long>(yes.told), 0, name + ": and not told");
    }
  }
}

void try_several(thirdparty_alloc_bpf& skeleton) {
  const Counted through = counted(skeleton, 0, [] { return unshare_errno(kAll); });
  is(through.result, 0, "seven types by one call");
  is(static_cast<long long>(through.asked), 7, "asked once for each");
  is(skeleton.bss->asked_types, kAll, "with its type");
  const Counted user = counted(skeleton, 0, [] { return unshare_errno(kAll | CLONE_NEWUSER); });
  is(user.result, 0, "and a user namespace with them");
  is(static_cast<long long>(user.asked), 8, "asked once for each");
  is(counted(skeleton, 0, [] { return clone3_errno(kAll | CLONE_NEWUSER); }).asked == 8, 1,
     "and so by clone3");
  is(counted(skeleton, CLONE_NEWTIME, [] { return unshare_errno(kAll); }).result, EPERM,
     "the last of seven is refused");
  is(counted(skeleton, CLONE_NEWCGROUP, [] { return clone3_errno(kAll); }).result, kIsRefused,
     "one in the middle is refused");
}

int end_of_descriptor(long fd) {
  if (fd < 0) return errno;
  close(static_cast<int>(fd));
  return 0;
}
int open_tree_errno() {
  return end_of_descriptor(syscall(SYS_open_tree, AT_FDCWD, "/tmp", 2 /* OPEN_TREE_NAMESPACE */));
}
int fsmount_errno() {
  const long context = syscall(SYS_fsopen, "tmpfs", 0);
  if (context < 0 ||
      syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, nullptr, nullptr, 0) < 0)
    return 250;
  return end_of_descriptor(syscall(SYS_fsmount, context, 2 /* FSMOUNT_NAMESPACE */, 0));
}

// A mount namespace that no task is in, which kernels of 7.x make.
void try_mounts(thirdparty_alloc_bpf& skeleton, const char* name, int (*make)()) {
  const int bare = in_child(make);
  if (bare == EINVAL) return;  // this kernel does not
  is(bare, 0, std::string(name) + ": made by a task that the program does not know");
  const Counted no = counted(skeleton, CLONE_NEWNS, make);
  is(no.result, EPERM, std::string(name) + ": refused");
  is(static_cast<long long>(no.asked), 1, std::string(name) + ": asked once");
  is(skeleton.bss->asked_types, CLONE_NEWNS, std::string(name) + ": with its type");
  const Counted yes = counted(skeleton, 0, make);
  is(yes.result, 0, std::string(name) + ": let through");
  is(static_cast<long long>(yes.asked), 1, std::string(name) + ": asked once");
}

// The kernel itself refuses after the program was asked: no answer is left for the next call.
void try_failing(thirdparty_alloc_bpf& skeleton, const char* limit, unsigned types) {
  const std::string path = std::string("/proc/sys/user/") + limit;
  std::string before;
  std::ifstream(path) >> before;
  std::ofstream(path) << 0 << std::flush;
  const Counted failed = counted(skeleton, 0, [types] {
    if (unshare_errno(types) != ENOSPC) return 250;
    return unshare_errno(types) == ENOSPC ? 0 : 251;
  });
  is(failed.result, 0, std::string(limit) + ": the kernel refuses two calls itself");
  const int each = __builtin_popcount(types);
  is(static_cast<long long>(failed.asked), 2 * each, std::string(limit) + ": asked for each");
  const Counted then = counted(skeleton, 0, [&skeleton, types] {
    if (unshare_errno(types) != ENOSPC) return 250;
    refuse(skeleton, types);
    return unshare_errno(types);
  });
  is(then.result, EPERM, std::string(limit) + ": and what is refused then is refused");
  std::ofstream(path) << before << std::flush;
}

void try_told() {
  thirdparty_alloc_bpf* skeleton = attach_only("refuse", HOLDFAST_ALLOC_ASK_AND_TELL);
  if (!check(skeleton != nullptr, "told: it attaches")) return;
  for (const Type& type : kTypes) {
    const auto flag = static_cast<unsigned>(type.flag);
    const Counted yes = counted(*skeleton, 0, [flag] { return clone3_errno(flag); });
    is(yes.result, 0, std::string("told: let through: ") + type.name);
    check(yes.asked == 1 && yes.told == 1, std::string("told: asked and told once: ") + type.name);
    check(skeleton->bss->told_types == flag && skeleton->bss->last_told != 0,
          std::string("told: its type and number: ") + type.name);
    const Counted no = counted(*skeleton, flag, [flag] { return clone3_errno(flag); });
    check(no.result == kIsRefused && no.asked == 1 && no.told == 0,
          std::string("told: what is refused is not told: ") + type.name);
  }
  const Counted all = counted(*skeleton, 0, [] { return unshare_errno(kAll); });
  check(all.result == 0 && all.asked == 7 && all.told == 7, "told: seven by one call");
  thirdparty_alloc_bpf__destroy(skeleton);
}

void try_stored() {
  thirdparty_alloc_bpf* skeleton = attach_only("refuse_stored", HOLDFAST_ALLOC_ASK);
  if (!check(skeleton != nullptr, "in task storage: it attaches")) return;
  const int result = in_child([skeleton] {
    const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
    const unsigned types = CLONE_NEWUTS;
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.stored), &self, &types, BPF_ANY) != 0)
      return 250;
    if (unshare_errno(CLONE_NEWIPC) != 0) return 251;
    return unshare_errno(CLONE_NEWUTS);
  });
  is(result, EPERM, "in task storage: refused what is stored, and nothing else");
  is(in_child([] { return unshare_errno(CLONE_NEWUTS); }), 0, "in task storage: nobody else is");
  thirdparty_alloc_bpf__destroy(skeleton);
}

// Four tasks on one processor, each of which is refused and let through in turn.
struct Tally {
  std::atomic<unsigned long> attempts, through, refused_wrongly;
};

void run_in_race(const thirdparty_alloc_bpf& skeleton, Tally& tally, int which, std::time_t end) {
  cpu_set_t one{};
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);
  // A cgroup namespace is asked for twice by the kernel.
  constexpr unsigned kRaced[] = {CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWCGROUP | CLONE_NEWUTS,
                                 CLONE_NEWCGROUP};
  const unsigned types = kRaced[which];
  for (unsigned long i = 0; std::time(nullptr) < end; i++) {
    const bool refused = i % 3 != 0;
    refuse(skeleton, refused ? types : 0);
    const int error = which == 3 ? clone3_errno(types) : unshare_errno(types);
    if (refused) tally.attempts++;
    if (refused && error == 0) tally.through++;
    if (!refused && error == EPERM) tally.refused_wrongly++;
  }
}

void try_race(int seconds) {
  thirdparty_alloc_bpf* skeleton = attach_only("refuse", HOLDFAST_ALLOC_ASK);
  if (!check(skeleton != nullptr, "race: it attaches")) return;
  void* shared =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& tally = *new (shared) Tally{};
  const std::time_t end = std::time(nullptr) + seconds;
  std::array<pid_t, 4> tasks{};
  for (int i = 0; i < 4; i++) {
    tasks[static_cast<std::size_t>(i)] = fork();
    if (tasks[static_cast<std::size_t>(i)] == 0) {
      run_in_race(*skeleton, tally, i, end);
      _exit(0);
    }
  }
  for (const pid_t task : tasks) waitpid(task, nullptr, 0);
  std::printf("# %lu attempts, %lu through, %lu refused wrongly\n", tally.attempts.load(),
              tally.through.load(), tally.refused_wrongly.load());
  check(tally.attempts > 100, "race: there were attempts");
  is(static_cast<long long>(tally.through), 0, "race: none was let through");
  is(static_cast<long long>(tally.refused_wrongly), 0, "race: none was refused wrongly");
  thirdparty_alloc_bpf__destroy(skeleton);
}

}  // namespace

int main(int argc, char** argv) {
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  if (kernel_has("bpf_lsm_namespace_init") || kernel_has("bpf_lsm_namespace_alloc")) {
    check(true, "this kernel has the hook: nothing is asked beforehand");
    return tap_end();
  }
  if (argc > 2) {
    try_race(std::atoi(argv[2]));
    return tap_end();
  }
  thirdparty_alloc_bpf* skeleton = attach_only("refuse", HOLDFAST_ALLOC_ASK);
  if (!check(skeleton != nullptr, "it attaches")) return tap_end();
  try_ways(*skeleton);
  try_several(*skeleton);
  try_mounts(*skeleton, "open_tree", open_tree_errno);
  try_mounts(*skeleton, "fsmount", fsmount_errno);
  try_failing(*skeleton, "max_uts_namespaces", CLONE_NEWUTS | CLONE_NEWCGROUP);
  try_failing(*skeleton, "max_cgroup_namespaces", CLONE_NEWCGROUP);
  is(in_child([] { return unshare_errno(kAll); }), 0, "others are not touched");
  thirdparty_alloc_bpf__destroy(skeleton);
  const int then = in_child([] { return unshare_errno(kAll | CLONE_NEWUSER); });
  is(then, 0, "when it is detached, nobody is");
  try_told();
  try_stored();
  return tap_end();
}
