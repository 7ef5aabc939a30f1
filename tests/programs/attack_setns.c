// SPDX-License-Identifier: Apache-2.0
/*
 * attack_setns TYPE PLACE HOW WHO: enters a namespace outside.
 *
 * HOW the namespace is named and the call made (see hows[]), times WHO makes the call (see whos[]):
 * any check that is tied to one form of the call, to one kind of task or to a task's history falls
 * to one of the combinations. Whether it worked is read from the task's own /proc entry, not from
 * the result.
 */
#include "attack.h"

#include "fast32.h"

#include <dirent.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static int type;
static enum place place;
static struct shared_result* result;
static char** arguments;

/* ---- how
 * -------------------------------------------------------------------------------------------- */

static long by_fd(void) {
  return raw(SYS_setns, outside_ns_fd(place, type), ns_flag[type], 0, 0, 0);
}
static long by_fd_of_any_type(void) {
  return raw(SYS_setns, outside_ns_fd(place, type), 0, 0, 0, 0);
}

/* The kernel reads 32 bits of each argument. */
static long by_fd_with_high_bits(void) {
  return raw(SYS_setns, outside_ns_fd(place, type) | 0x7eadbeef00000000,
             ns_flag[type] | 0x100000000, 0, 0, 0);
}

static int outside_pidfd(void) {
  int fd = place == place_host ? host_pidfd : foreign_pidfd;
  if (fcntl(fd, F_GETFD) >= 0) return fd;
  const char* pid = getenv(place == place_host ? "HF_OUTSIDE_PID" : "HF_FOREIGN_PID");
  return (int)syscall(SYS_pidfd_open, pid ? atoi(pid) : 1, 0);
}

static long by_pidfd(void) { return raw(SYS_setns, outside_pidfd(), ns_flag[type], 0, 0, 0); }

/* With the wanted one last in the kernel's own order. */
static long by_pidfd_with_many_types(void) {
  int flags =
      CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | ns_flag[type];
  return raw(SYS_setns, outside_pidfd(), flags, 0, 0, 0);
}

static long by_path(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/%s",
           getenv(place == place_host ? "HF_OUTSIDE_PID" : "HF_FOREIGN_PID"), ns_name[type]);
  int fd = open(path, O_RDONLY);
  return fd < 0 ? -errno : raw(SYS_setns, fd, ns_flag[type], 0, 0, 0);
}

/* A process outside sends the descriptor. */
static long by_fd_from_accomplice(void) {
  int fds[NS_COUNT];
  char byte = ask_fds;
  int to = ask_connect();
  if (send(to, &byte, 1, 0) != 1 || receive_fds(to, &byte, 1, fds, NS_COUNT) < 0) return -errno;
  return raw(SYS_setns, fds[type], ns_flag[type], 0, 0, 0);
}

/* A socket remembers its network namespace and hands it out. */
static long by_socket(void) {
  int fd = ioctl(host_socket_fd, SIOCGSKNS);
  return fd < 0 ? -errno : raw(SYS_setns, fd, CLONE_NEWNET, 0, 0, 0);
}

/* The user namespace that owns a namespace outside. */
static long by_owner_of_namespace(void) {
  int fd = ioctl(foreign_fd + ns_uts, NS_GET_USERNS);
  return fd < 0 ? -errno : raw(SYS_setns, fd, CLONE_NEWUSER, 0, 0, 0);
}

/*
 * A file handle of nsfs (6.18) is made from numbers that can be read or guessed: no descriptor of
 * the namespace has to be had. The layout is the kernel's struct nsfs_file_handle.
 */
#ifndef FILEID_NSFS
#define FILEID_NSFS 0xf1
#endif
static long by_handle(void) {
  struct {
    struct file_handle head;
    unsigned char data[32];
  } handle = {.head = {.handle_bytes = 32}};
  int mount_id, own = open("/proc/self/ns/uts", O_RDONLY);
  int fd = outside_ns_fd(place, type);
  if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) != 0) return -errno;
  fd = open_by_handle_at(own, &handle.head, O_RDONLY);
  return fd < 0 ? -errno : raw(SYS_setns, fd, ns_flag[type], 0, 0, 0);
}

static long by_int80(void) { return int80(346, outside_ns_fd(place, type), ns_flag[type], 0); }
static long by_int80_with_high_bits(void) {
  return int80(346, outside_ns_fd(place, type) | 0x7eadbeef00000000, ns_flag[type] | 0x100000000,
               0);
}
static long by_x32(void) {
  return raw(0x40000000 + SYS_setns, outside_ns_fd(place, type), ns_flag[type], 0, 0, 0);
}

static long by_fast32(void) {
  return fast32(346, (unsigned)outside_ns_fd(place, type), (unsigned)ns_flag[type]);
}

/*
 * The number is another one until a tracer, which the kernel stops it for at the entry, puts the
 * wanted one there, with upper bits.
 */
static void rewrite_the_call_of(pid_t pid) {
  struct user_regs_struct registers;
  int status;
  if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) != 0) return;
  ptrace(PTRACE_INTERRUPT, pid, 0, 0);
  if (waitpid(pid, &status, __WALL) != pid) return;
  ptrace(PTRACE_SYSCALL, pid, 0, 0);
  result->done = -1;
  while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
    ptrace(PTRACE_GETREGS, pid, 0, &registers);
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && registers.orig_rax == SYS_getppid) break;
    ptrace(PTRACE_SYSCALL, pid, 0, 0);
  }
  registers.orig_rax = 0x7eadbeef00000000 | SYS_setns;
  ptrace(PTRACE_SETREGS, pid, 0, &registers);
  ptrace(PTRACE_DETACH, pid, 0, 0);
}

static long by_tracer(void) {
  const int fd = outside_ns_fd(place, type);
  const pid_t self = (pid_t)raw(SYS_gettid, 0, 0, 0, 0, 0);
  const pid_t tracer = fork();
  if (tracer == 0) {
    usleep(20000);
    rewrite_the_call_of(self);
    result->done = -1;
    _exit(0);
  }
  prctl(PR_SET_PTRACER, tracer, 0, 0, 0);
  while (result->done == 0) {
  }
  return raw(SYS_getppid, fd, ns_flag[type], 0, 0, 0);
}

/* A second descriptor number for the same file, far away from where it was opened. */
static long by_duplicate(void) {
  int fd = fcntl(outside_ns_fd(place, type), F_DUPFD, 900);
  return fd < 0 ? -errno : raw(SYS_setns, fd, ns_flag[type], 0, 0, 0);
}

/* The same namespace, another open file. */
static long by_reopened_fd(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", outside_ns_fd(place, type));
  int fd = open(path, O_RDONLY);
  return fd < 0 ? -errno : raw(SYS_setns, fd, ns_flag[type], 0, 0, 0);
}

static const struct {
  const char* name;
  long (*enter)(void);
} hows[] = {
    {"fd", by_fd},
    {"fd-any", by_fd_of_any_type},
    {"fd-high-bits", by_fd_with_high_bits},
    {"fd-duplicate", by_duplicate},
    {"fd-reopened", by_reopened_fd},
    {"path", by_path},
    {"pidfd", by_pidfd},
    {"pidfd-many", by_pidfd_with_many_types},
    {"scm", by_fd_from_accomplice},
    {"socket", by_socket},
    {"owner", by_owner_of_namespace},
    {"handle", by_handle},
    {"int80", by_int80},
    {"int80-high-bits", by_int80_with_high_bits},
    {"x32", by_x32},
    {"fast32", by_fast32},
    {"traced", by_tracer},
};
static long (*enter)(void);

static void attempt(void) {
  result->result = enter();
  result->inside = is_outside(place, type);
  result->done = 1;
}

/* ---- who
 * ---------------------------------------------------------------------------------------------- */

static int wait_for(pid_t pid) {
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, __WALL) != pid) broken("child");
  return status;
}

static int myself(void) {
  attempt();
  return 0;
}

static int in_child(void) {
  pid_t pid = fork();
  if (pid == 0) {
    attempt();
    _exit(0);
  }
  return wait_for(pid);
}

static int in_vfork_child(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    attempt();
    _exit(0);
  }
  return wait_for(pid);
}

static void* attempt_in_thread(void* unused) {
  (void)unused;
  attempt();
  return NULL;
}

static int in_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, attempt_in_thread, NULL) != 0) broken("thread");
  pthread_join(thread, NULL);
  return 0;
}

/* The thread outlives its leader: /proc/PID of the process shows a zombie without namespaces. */
static void* attempt_and_report(void* unused) {
  (void)unused;
  usleep(50000);
  attempt();
  report(result, 0);
}
static int in_thread_without_leader(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, attempt_and_report, NULL) != 0) broken("thread");
  syscall(SYS_exit, 0);
  __builtin_unreachable();
}

static int clone_and_attempt(int flags) {
  pid_t pid = (pid_t)syscall(SYS_clone, (long)flags, 0, 0, 0, 0);
  if (pid == 0) {
    attempt();
    _exit(0);
  }
  if (pid < 0) {
    result->result = pid < 0 ? -errno : 0;
    result->done = 1;
    return 0;
  }
  for (int i = 0; i < 500 && !result->done && kill(pid, 0) == 0; i++) usleep(10000);
  int status = 0;
  if (!(flags & CLONE_PARENT)) waitpid(pid, &status, __WALL);
  return status;
}

static int in_sibling(void) { return clone_and_attempt(CLONE_PARENT | SIGCHLD); }
static int in_silent_child(void) { return clone_and_attempt(0); } /* no exit signal */
static int with_shared_files(void) { return clone_and_attempt(CLONE_FILES | SIGCHLD); }
static int with_shared_fs(void) { return clone_and_attempt(CLONE_FS | SIGCHLD); }
static int untraced(void) { return clone_and_attempt(CLONE_UNTRACED | SIGCHLD); }

/* The child of a child that is gone: init of the pid namespace, or a subreaper, has it. */
static int in_orphan(void) {
  pid_t pid = fork();
  if (pid == 0) {
    if (fork() == 0) {
      usleep(30000);
      attempt();
    }
    _exit(0);
  }
  wait_for(pid);
  for (int i = 0; i < 500 && !result->done; i++) usleep(10000);
  return 0;
}

/* After exec: nothing that was remembered for the old program may be lost. */
static int after_exec(void) {
  char* again[] = {arguments[0], arguments[1], arguments[2], arguments[3], "self", NULL};
  execv("/proc/self/exe", again);
  broken("exec");
}

/* exec from a thread that is not the leader: the thread takes over the leader's pid. */
static void* exec_in_thread(void* unused) {
  (void)unused;
  after_exec();
  return NULL;
}
static int after_exec_of_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, exec_in_thread, NULL) != 0) broken("thread");
  for (;;) pause();
}

/* The kernel gives the files of /proc/PID to root from now on: a supervisor without rights cannot
 * read. */
static int undumpable(void) {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return in_child();
}

static void on_signal(int number) {
  (void)number;
  attempt();
}
static int in_signal_handler(void) {
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  return 0;
}

/* In namespaces of another type made a moment ago: is it still known where it belongs? */
static int after_new_cgroup_namespace(void) {
  if (unshare(CLONE_NEWCGROUP) != 0) broken("unshare cgroup");
  return in_child();
}
/* The own pid namespace stays, the next child is born in another: back to the host for it. */
static int with_children_elsewhere(void) {
  if (unshare(ns_flag[type]) != 0) broken("unshare");
  attempt();
  return 0;
}
static int in_nested_pid_namespace(void) {
  if (unshare(CLONE_NEWPID) != 0) broken("unshare pid");
  return in_child();
}

/* With no descriptors left for a process that opens files on its behalf. */
static int with_deep_children(void) {
  pid_t pid = fork();
  if (pid != 0) return wait_for(pid);
  for (int depth = 0; depth < 40; depth++) {
    pid = fork();
    if (pid != 0) {
      wait_for(pid);
      _exit(0);
    }
  }
  attempt();
  _exit(0);
}

static const struct {
  const char* name;
  int (*run)(void);
} whos[] = {
    {"self", myself},
    {"fork", in_child},
    {"vfork", in_vfork_child},
    {"thread", in_thread},
    {"leaderless", in_thread_without_leader},
    {"clone-parent", in_sibling},
    {"clone-silent", in_silent_child},
    {"clone-files", with_shared_files},
    {"clone-fs", with_shared_fs},
    {"clone-untraced", untraced},
    {"orphan", in_orphan},
    {"exec", after_exec},
    {"exec-thread", after_exec_of_thread},
    {"undumpable", undumpable},
    {"signal", in_signal_handler},
    {"new-cgroup", after_new_cgroup_namespace},
    {"nested-pid", in_nested_pid_namespace},
    {"children-elsewhere", with_children_elsewhere},
    {"deep", with_deep_children},
};

int main(int argc, char** argv) {
  int (*run)(void) = NULL;
  if (argc != 5) {
    fprintf(stderr, "usage: attack_setns TYPE host|foreign HOW WHO\n");
    return exit_usage;
  }
  type = type_of(argv[1]);
  place = place_of(argv[2]);
  arguments = argv;
  size_t length = cut_number_bits(argv[3]);
  for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
    if (is_attack(hows[i].name, argv[3], length)) enter = hows[i].enter;
  for (size_t i = 0; i < sizeof whos / sizeof *whos; i++)
    if (strcmp(whos[i].name, argv[4]) == 0) run = whos[i].run;
  if (!enter || !run) {
    fprintf(stderr, "attack_setns: unknown %s\n", enter ? argv[4] : argv[3]);
    return exit_usage;
  }
  if (is_outside(place, type) && run != with_children_elsewhere)
    finish(exit_usage, "broken", "already outside");
  result = new_shared_result();
  int status = run();
  if (result->done && (result->result == -ENOSYS || result->result == -EOPNOTSUPP) &&
      !result->inside)
    refused((int)-result->result);
  report(result, status);
}
