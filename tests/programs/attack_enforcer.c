// SPDX-License-Identifier: Apache-2.0
/*
 * attack_enforcer PID ROW...: tries to end, stop, starve or take over that process, in one way for each ROW
 * (see the table at the end), and prints a line for each:
 *
 *   ROW done OWN-PID      every call of it succeeded; for a signal that does not say yet that it was delivered
 *   ROW ERRNO OWN-PID     what the first call that failed said
 *
 * The signal is SIGCONT, which changes nothing, unless HF_SIGNAL says another. Cgroup files are those of the
 * directory in HF_CGROUP, which the process is in, and HF_OTHER_CGROUP is where it would be moved; HF_CGROUP1 is one of
 * the freezer of version 1. HF_OLD_FD is a descriptor of cgroup.freeze in HF_CGROUP.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

static pid_t target;
static int number = SIGCONT;

static long failed(long result) { return result < 0 ? -errno : 0; }

/* ---- signals by name --------------------------------------------------------------------------- */

static long by_kill(void) { return failed(kill(target, number)); }
static long by_tgkill(void) { return failed(syscall(SYS_tgkill, target, target, number)); }
static long by_tkill(void) { return failed(syscall(SYS_tkill, target, number)); }
static long by_queue(void) {
  siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE, .si_pid = getpid()};
  return failed(syscall(SYS_rt_sigqueueinfo, target, number, &info));
}
static long by_thread_queue(void) {
  siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE, .si_pid = getpid()};
  return failed(syscall(SYS_rt_tgsigqueueinfo, target, target, number, &info));
}
static long by_pidfd(void) {
  int fd = (int)syscall(SYS_pidfd_open, target, 0);
  return fd < 0 ? -errno : failed(syscall(SYS_pidfd_send_signal, fd, number, NULL, 0));
}

/* ---- signals of files: the calls succeed, whatever is delivered ---------------------------------- */

static long owned_pipe(const struct f_owner_ex* owner) {
  int ends[2];
  if (pipe(ends) != 0 || fcntl(ends[0], F_SETOWN_EX, owner) != 0) return -errno;
  if (fcntl(ends[0], F_SETSIG, number) != 0 || fcntl(ends[0], F_SETFL, O_ASYNC) != 0) return -errno;
  return failed(write(ends[1], "x", 1));
}
static long by_sigio(void) {
  return owned_pipe(&(struct f_owner_ex){.type = F_OWNER_PID, .pid = target});
}
static long by_thread_sigio(void) {
  return owned_pipe(&(struct f_owner_ex){.type = F_OWNER_TID, .pid = target});
}
static long by_group_sigio(void) {
  return owned_pipe(&(struct f_owner_ex){.type = F_OWNER_PGRP, .pid = getpgid(target)});
}
static long owned_socket(unsigned long command, int pid) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || ioctl(ends[0], command, &pid) != 0)
    return -errno;
  if (fcntl(ends[0], F_SETSIG, number) != 0 || fcntl(ends[0], F_SETFL, O_ASYNC) != 0) return -errno;
  return failed(write(ends[1], "x", 1));
}
static long by_fiosetown(void) { return owned_socket(FIOSETOWN, target); }
static long by_siocspgrp(void) { return owned_socket(SIOCSPGRP, -getpgid(target)); }
/* SIGURG, which no F_SETSIG changes: sk_send_sigurg(). */
static long by_urgent(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || fcntl(ends[0], F_SETOWN, target) != 0)
    return -errno;
  return failed(send(ends[1], "x", 1, MSG_OOB));
}
static long by_dnotify(void) {
  char name[] = "/tmp/dnotify.XXXXXX";
  int folder = mkdtemp(name) ? open(name, O_RDONLY | O_DIRECTORY) : -1;
  if (folder < 0 || fcntl(folder, F_SETSIG, number) != 0 || fcntl(folder, F_NOTIFY, DN_CREATE) != 0)
    return -errno;
  if (fcntl(folder, F_SETOWN, target) != 0) return -errno;
  return failed(mkdirat(folder, "x", 0700));
}
static long by_lease(void) {
  char name[] = "/tmp/lease.XXXXXX";
  int file = mkstemp(name);
  if (file < 0) return -errno;
  close(file);
  file = open(name, O_RDONLY);
  if (file < 0 || fcntl(file, F_SETLEASE, F_RDLCK) != 0 || fcntl(file, F_SETSIG, number) != 0 ||
      fcntl(file, F_SETOWN, target) != 0)
    return -errno;
  int second = open(name, O_WRONLY | O_NONBLOCK); /* breaks the lease */
  return second >= 0 || errno == EWOULDBLOCK ? 0 : -errno;
}
/* Only threads of the caller: good_sigevent(). */
static long by_timer(void) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number};
  timer_t timer;
  event._sigev_un._tid = target;
  return failed(timer_create(CLOCK_MONOTONIC, &event, &timer));
}

/* ---- tracing -------------------------------------------------------------------------------------- */

static long by_attach(void) {
  long result = failed(ptrace(PTRACE_ATTACH, target, 0, 0));
  if (result == 0) waitpid(target, NULL, 0), ptrace(PTRACE_DETACH, target, 0, 0);
  return result;
}
static long by_seize(void) { return failed(ptrace(PTRACE_SEIZE, target, 0, 0)); }
static long by_vm_write(void) {
  char byte = 0;
  struct iovec here = {&byte, 1}, there = {(void*)8, 1};
  long result = failed(process_vm_writev(target, &here, 1, &there, 1, 0));
  return result == -EFAULT ? 0 : result; /* nothing is mapped there: it came that far */
}
static long by_getfd(void) {
  int fd = (int)syscall(SYS_pidfd_open, target, 0);
  return fd < 0 ? -errno : failed(syscall(SYS_pidfd_getfd, fd, 0, 0));
}
static long open_of(const char* folder, const char* name) {
  char path[256];
  snprintf(path, sizeof path, folder[0] ? "%s/%s" : "%s%s", folder, name);
  int fd = open(path, O_WRONLY);
  return fd < 0 ? -errno : fd;
}
static long by_mem(void) {
  char name[32];
  snprintf(name, sizeof name, "/proc/%d/mem", target);
  long fd = open_of("", name);
  return fd < 0 ? fd : 0;
}
/* CAP_PERFMON and CAP_KILL replace the right to trace: perf_check_permission(). */
static long by_perf(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                 .size = sizeof attr,
                                 .config = PERF_COUNT_SW_CONTEXT_SWITCHES,
                                 .sample_period = 1000000000,
                                 .exclude_kernel = 0,
                                 .sigtrap = 1,
                                 .remove_on_exec = 1};
  return failed(syscall(SYS_perf_event_open, &attr, target, -1, -1, 0));
}

/* ---- limits, scheduling, memory -------------------------------------------------------------------- */

static long limit(int resource) {
  struct rlimit none = {100000, 100000};
  return failed(prlimit(target, resource, &none, NULL));
}
static long by_cpu_limit(void) { return limit(RLIMIT_CPU); }
static long by_rttime_limit(void) { return limit(RLIMIT_RTTIME); }
static long by_file_limit(void) { return limit(RLIMIT_FSIZE); }

static long by_scheduler(void) {
  struct sched_param none = {0};
  return failed(sched_setscheduler(target, SCHED_BATCH, &none));
}
static long by_sched_attr(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr = {.size = 48, .policy = SCHED_BATCH};
  return failed(syscall(SYS_sched_setattr, target, &attr, 0));
}
static long by_affinity(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return failed(sched_setaffinity(target, sizeof set, &set));
}
static long by_nice(void) { return failed(setpriority(PRIO_PROCESS, (id_t)target, 1)); }
static long by_ioprio(void) { return failed(syscall(SYS_ioprio_set, 1, target, 2 << 13 | 7)); }
static long by_migrate(void) {
  unsigned long node = 1;
  return failed(syscall(SYS_migrate_pages, target, 64, &node, &node));
}
static long by_move_pages(void) {
  void* page = (void*)4096;
  int node = 0, status = 0;
  return failed(syscall(SYS_move_pages, target, 1, &page, &node, &status, 2));
}
static long by_madvise(void) {
  struct iovec there = {(void*)4096, 4096};
  int fd = (int)syscall(SYS_pidfd_open, target, 0);
  long result = fd < 0 ? -errno : failed(syscall(440, fd, &there, 1, 21 /* MADV_PAGEOUT */, 0));
  return result == -ENOMEM ? 0 : result; /* nothing is mapped there: it came that far */
}
/* Only of one that dies already: EINVAL. */
static long by_mrelease(void) {
  int fd = (int)syscall(SYS_pidfd_open, target, 0);
  return fd < 0 ? -errno : failed(syscall(448, fd, 0));
}

/* ---- files ----------------------------------------------------------------------------------------- */

static long put(const char* folder, const char* name, const char* text) {
  long fd = open_of(folder, name);
  long result = fd < 0 ? fd : failed(write((int)fd, text, strlen(text)));
  if (fd >= 0) close((int)fd);
  return result;
}
static long put_proc(const char* name, const char* text) {
  char folder[32];
  snprintf(folder, sizeof folder, "/proc/%d", target);
  return put(folder, name, text);
}
static long by_oom_score(void) { return put_proc("oom_score_adj", "1"); }
static long by_oom_adj(void) { return put_proc("oom_adj", "1"); }
static long by_core_filter(void) { return put_proc("coredump_filter", "0x33"); }
static long by_clear_refs(void) { return put_proc("clear_refs", "1"); }
static long by_timer_slack(void) { return put_proc("timerslack_ns", "1000000"); }
static long by_thread_oom(void) {
  char name[64];
  snprintf(name, sizeof name, "task/%d/oom_score_adj", target);
  return put_proc(name, "1");
}

static const char* folder(void) { return getenv("HF_CGROUP") ? getenv("HF_CGROUP") : ""; }
static const char* other(void) {
  return getenv("HF_OTHER_CGROUP") ? getenv("HF_OTHER_CGROUP") : "";
}
/* "0" in most of these frees or changes nothing, so that what is not refused does no harm to the test. */
static long by_freeze(void) { return put(folder(), "cgroup.freeze", "0"); }
static long by_cgroup_kill(void) { return put(folder(), "cgroup.kill", "1"); }
static long by_memory_max(void) { return put(folder(), "memory.max", "max"); }
static long by_memory_high(void) { return put(folder(), "memory.high", "max"); }
static long by_oom_group(void) { return put(folder(), "memory.oom.group", "0"); }
static long by_cpu_max(void) { return put(folder(), "cpu.max", "max"); }
static long by_cpu_weight(void) { return put(folder(), "cpu.weight", "100"); }
static long by_cpu_idle(void) { return put(folder(), "cpu.idle", "0"); }
static long by_pids_max(void) { return put(folder(), "pids.max", "max"); }
static long by_cpuset(void) { return put(folder(), "cpuset.cpus", "0"); }
/* EINVAL: it came that far. */
static long by_io_max(void) { return put(folder(), "io.max", "no device"); }
static long by_ring(void) {
  long fd = open_of(folder(), "cgroup.freeze");
  if (fd < 0) return fd;
  struct io_uring_sqe write_it = {
      .opcode = IORING_OP_WRITE, .fd = (int)fd, .addr = (uintptr_t) "0", .len = 1};
  long result = ring_do(&write_it);
  return result < 0 ? result : 0;
}
static long by_sendfile(void) {
  long fd = open_of(folder(), "cgroup.freeze");
  int from = memfd_create("zero", 0);
  if (fd < 0) return fd;
  if (from < 0 || pwrite(from, "0", 1, 0) != 1) return -errno;
  return failed(sendfile((int)fd, from, NULL, 1));
}
static long by_splice(void) {
  long fd = open_of(folder(), "cgroup.freeze");
  int ends[2];
  if (fd < 0) return fd;
  if (pipe(ends) != 0 || write(ends[1], "0", 1) != 1) return -errno;
  return failed(splice(ends[0], NULL, (int)fd, NULL, 1, 0));
}
static long by_vector(void) {
  long fd = open_of(folder(), "cgroup.freeze");
  struct iovec part = {"0", 1};
  return fd < 0 ? fd : failed(pwritev2((int)fd, &part, 1, 0, 0));
}
/* A descriptor from before the enforcement, or that was sent. */
static long by_old_descriptor(void) {
  const char* fd = getenv("HF_OLD_FD");
  return fd ? failed(pwrite(atoi(fd), "0", 1, 0)) : -EBADF;
}
static long move(const char* file) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", target);
  return put(other(), file, pid);
}
static long by_move(void) { return move("cgroup.procs"); }
static long by_thread_move(void) { return move("cgroup.threads"); }
static const char* old_folder(void) { return getenv("HF_CGROUP1") ? getenv("HF_CGROUP1") : ""; }
static long by_old_move(void) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", target);
  return put(old_folder(), "cgroup.procs", pid);
}
static long by_old_freeze(void) { return put(old_folder(), "freezer.state", "FROZEN"); }
static long by_old_thaw(void) { return put(old_folder(), "freezer.state", "THAWED"); }
static long by_cad_pid(void) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", target);
  return put("", "/proc/sys/kernel/cad_pid", pid);
}

/* ---- what acts on any process ----------------------------------------------------------------------- */

static long by_sysrq(void) { return put("", "/proc/sysrq-trigger", "h"); } /* prints help */
static long by_uprobe(void) {
  return put("", "/sys/kernel/tracing/uprobe_events", "p:hf/at /usr/bin/busybox:0x1000\n");
}
static long by_tracepoint(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof attr, .config = 1};
  return failed(syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0));
}
/* r0 = bpf_send_signal(SIGKILL) would come before the exit. */
static long load(uint32_t type) {
  struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0},
                            {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr = {
      .prog_type = type, .insn_cnt = 2, .insns = (uintptr_t)code, .license = (uintptr_t) "GPL"};
  return failed(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr));
}
static long by_kprobe(void) { return load(BPF_PROG_TYPE_KPROBE); }
static long by_raw_tracepoint(void) { return load(BPF_PROG_TYPE_RAW_TRACEPOINT); }

static const struct row {
  const char* name;
  long (*act)(void);
} rows[] = {
    {"kill", by_kill},
    {"tgkill", by_tgkill},
    {"tkill", by_tkill},
    {"queue", by_queue},
    {"thread-queue", by_thread_queue},
    {"pidfd", by_pidfd},
    {"sigio", by_sigio},
    {"thread-sigio", by_thread_sigio},
    {"group-sigio", by_group_sigio},
    {"fiosetown", by_fiosetown},
    {"siocspgrp", by_siocspgrp},
    {"urgent", by_urgent},
    {"dnotify", by_dnotify},
    {"lease", by_lease},
    {"timer", by_timer},
    {"attach", by_attach},
    {"seize", by_seize},
    {"vm-write", by_vm_write},
    {"getfd", by_getfd},
    {"mem", by_mem},
    {"perf", by_perf},
    {"cpu-limit", by_cpu_limit},
    {"rttime-limit", by_rttime_limit},
    {"file-limit", by_file_limit},
    {"scheduler", by_scheduler},
    {"sched-attr", by_sched_attr},
    {"affinity", by_affinity},
    {"nice", by_nice},
    {"ioprio", by_ioprio},
    {"migrate", by_migrate},
    {"move-pages", by_move_pages},
    {"madvise", by_madvise},
    {"mrelease", by_mrelease},
    {"oom-score", by_oom_score},
    {"oom-adj", by_oom_adj},
    {"thread-oom", by_thread_oom},
    {"core-filter", by_core_filter},
    {"clear-refs", by_clear_refs},
    {"timer-slack", by_timer_slack},
    {"freeze", by_freeze},
    {"cgroup-kill", by_cgroup_kill},
    {"memory-max", by_memory_max},
    {"memory-high", by_memory_high},
    {"oom-group", by_oom_group},
    {"cpu-max", by_cpu_max},
    {"cpu-weight", by_cpu_weight},
    {"cpu-idle", by_cpu_idle},
    {"pids-max", by_pids_max},
    {"cpuset", by_cpuset},
    {"io-max", by_io_max},
    {"ring", by_ring},
    {"sendfile", by_sendfile},
    {"splice", by_splice},
    {"vector", by_vector},
    {"old-descriptor", by_old_descriptor},
    {"move", by_move},
    {"thread-move", by_thread_move},
    {"v1-move", by_old_move},
    {"v1-freeze", by_old_freeze},
    {"v1-thaw", by_old_thaw},
    {"cad-pid", by_cad_pid},
    {"sysrq", by_sysrq},
    {"uprobe", by_uprobe},
    {"tracepoint", by_tracepoint},
    {"kprobe", by_kprobe},
    {"raw-tracepoint", by_raw_tracepoint},
};

static void attempt(const struct row* row) {
  const long result = row->act();
  printf("%s %s %d\n", row->name, result == 0 ? "done" : strerrorname_np((int)-result), getpid());
  fflush(stdout);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  target = atoi(argv[1]);
  if (getenv("HF_SIGNAL")) number = atoi(getenv("HF_SIGNAL"));
  for (int i = 2; i < argc; i++) {
    int known = 0;
    for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
      if (strcmp(argv[i], rows[j].name) != 0) continue;
      attempt(&rows[j]);
      known = 1;
    }
    if (!known) return 2;
  }
  return 0;
}
