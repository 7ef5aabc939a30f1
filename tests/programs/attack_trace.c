// SPDX-License-Identifier: Apache-2.0
/*
 * attack_trace MEANS: makes a task that is not held do what the attacker may not. The victim is a
 * child forked before the attacker went into a sandbox of its own (unshare): same profile, not
 * held. Escaped when the victim's memory, registers or descriptors could be reached.
 *
 * MEANS: attach, seize, writev, readv, mem, getfd, vm-thread (process_vm_writev from a thread),
 * int80 (ptrace by the 32-bit entry), maps-fd (/proc/PID/mem opened before going in: has to be
 * refused by the kernel's own rule or be harmless), outside-attach and outside-getfd (the task
 * outside instead of the child).
 */
#include "attack.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static volatile int secret = 1; /* the victim's copy is what is written to */
static pid_t victim;
static struct shared_result* result;

static void done(long value) {
  result->result = value;
  result->inside = value == 0;
  result->done = 1;
}

static long as_result(long value) { return value < 0 ? -errno : 0; }

static void attach(void) { done(as_result(ptrace(PTRACE_ATTACH, victim, 0, 0))); }
static void seize(void) { done(as_result(ptrace(PTRACE_SEIZE, victim, 0, 0))); }
static void int80_attach(void) {
  long value = int80(26, PTRACE_ATTACH, victim, 0);
  done(value < 0 ? value : 0);
}

static void writev_to(void) {
  int two = 2;
  struct iovec local = {&two, sizeof two}, remote = {(void*)&secret, sizeof secret};
  done(as_result(process_vm_writev(victim, &local, 1, &remote, 1, 0)));
}
static void readv_from(void) {
  int copy = 0;
  struct iovec local = {&copy, sizeof copy}, remote = {(void*)&secret, sizeof secret};
  done(as_result(process_vm_readv(victim, &local, 1, &remote, 1, 0)));
}
static void* writev_in_thread(void* unused) {
  (void)unused;
  writev_to();
  return NULL;
}
static void writev_by_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, writev_in_thread, NULL);
  pthread_join(thread, NULL);
}

static void write_mem(void) {
  char path[64];
  int two = 2;
  snprintf(path, sizeof path, "/proc/%d/mem", victim);
  int fd = open(path, O_RDWR);
  done(fd < 0 ? -errno : as_result(pwrite(fd, &two, sizeof two, (off_t)(uintptr_t)&secret)));
}

/* The victim's descriptor 0, whatever it is. */
static void getfd(void) {
  int pidfd = (int)syscall(SYS_pidfd_open, victim, 0);
  done(pidfd < 0 ? -errno : as_result(syscall(SYS_pidfd_getfd, pidfd, 0, 0)));
}
static void outside_getfd(void) { done(as_result(syscall(SYS_pidfd_getfd, host_pidfd, 0, 0))); }
static void outside_attach(void) {
  victim = atoi(getenv("HF_OUTSIDE_PID"));
  attach();
}

static const struct {
  const char* name;
  void (*reach)(void);
} means[] = {
    {"attach", attach},
    {"seize", seize},
    {"writev", writev_to},
    {"readv", readv_from},
    {"mem", write_mem},
    {"getfd", getfd},
    {"thread", writev_by_thread},
    {"int80", int80_attach},
    {"outside-getfd", outside_getfd},
    {"outside-attach", outside_attach},
};

int main(int argc, char** argv) {
  void (*reach)(void) = NULL;
  for (size_t i = 0; argc == 2 && i < sizeof means / sizeof *means; i++)
    if (strcmp(means[i].name, argv[1]) == 0) reach = means[i].reach;
  if (!reach) {
    fprintf(stderr, "usage: attack_trace MEANS\n");
    return exit_usage;
  }
  result = new_shared_result();
  victim = fork();
  if (victim == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  /* A child goes in and attacks; this one waits, since the 32-bit entry may be deadly. */
  pid_t attacker = fork();
  if (attacker == 0) {
    if (unshare(CLONE_NEWUTS) != 0) broken("unshare");
    reach();
    _exit(0);
  }
  int status = 0;
  waitpid(attacker, &status, 0);
  kill(victim, SIGKILL);
  report(result, status);
}
