// SPDX-License-Identifier: Apache-2.0
/*
 * attack_race TASKS ATTEMPTS TYPE: the preemption race. Programs that the kernel skips when another
 * task on the same processor was preempted inside them (fentry, fexit, kprobe) are found out by
 * TASKS tasks on one processor that all try to enter the host's namespace, ATTEMPTS times in total,
 * while a mover walks between two namespaces of the sandbox, which has to work each time.
 *
 * Prints `escaped` or `refused EPERM`; the counts go to standard error:
 *   # attempts 300000 through 0 other-errors 0 moves 4711 false-denials 0
 */
#include "attack.h"

#include <sys/prctl.h>

#include "race.h"

struct counts {
  volatile long attempts, through, other, moves, false_denials, stop, error;
};

enum { enough = 100 }; /* escapes are enough to know */

static struct counts* counts;
static int type;

static void pin(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) broken("sched_setaffinity");
}

static void hammer(long attempts) {
  int host = outside_ns_fd(place_host, type);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/ns/%s", ns_name[type]);
  int home = open(path, O_RDONLY);
  long through = 0, other = 0, tried = 0;
  for (long i = 0; i < attempts && through < enough; i++, tried++) {
    long value = raw(SYS_setns, host, ns_flag[type], 0, 0, 0);
    if (value == 0) {
      through++;
      raw(SYS_setns, home, ns_flag[type], 0, 0, 0);
    } else if (value != -EPERM) {
      other++;
      counts->error = -value;
    }
  }
  __atomic_fetch_add(&counts->attempts, tried, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&counts->through, through, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&counts->other, other, __ATOMIC_SEQ_CST);
}

/* Another namespace of the same sandbox: made by a child that waits. */
static int make_second(void) {
  int ready[2];
  char byte = 0, path[64];
  if (pipe(ready) != 0) broken("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(ns_flag[type]) != 0) _exit(1);
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) broken("second namespace");
  snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, ns_name[type]);
  return open(path, O_RDONLY);
}

static void move(int second) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/ns/%s", ns_name[type]);
  int home = open(path, O_RDONLY);
  for (long i = 0; !counts->stop; i++) {
    if (raw(SYS_setns, i % 2 ? home : second, ns_flag[type], 0, 0, 0) != 0) counts->false_denials++;
    counts->moves++;
    if (i % 8 == 0) sched_yield();
  }
}

static pid_t spawn(void (*job)(long), long argument) {
  pid_t pid = fork();
  if (pid < 0) broken("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    job(argument);
    _exit(0);
  }
  return pid;
}
static void move_job(long second) { move((int)second); }

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: attack_race TASKS ATTEMPTS TYPE\n");
    return exit_usage;
  }
  int tasks = atoi(argv[1]);
  long attempts = atol(argv[2]);
  type = type_of(argv[3]);
  counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int second = make_second();
  pin();
  pid_t mover = spawn(move_job, second);
  pid_t hammers[64];
  if (tasks > 64) tasks = 64;
  for (int i = 0; i < tasks; i++) hammers[i] = spawn(hammer, attempts / tasks);
  for (int i = 0; i < tasks; i++) waitpid(hammers[i], NULL, 0);
  struct race last_move = {.rounds = 0};
  while (race_goes_on(&last_move, counts->moves > 0)) continue;
  counts->stop = 1;
  waitpid(mover, NULL, 0);
  fprintf(stderr, "# attempts %ld through %ld other-errors %ld moves %ld false-denials %ld\n",
          counts->attempts, counts->through, counts->other, counts->moves, counts->false_denials);
  if (counts->through) escaped();
  if (counts->other || counts->attempts < attempts - tasks) {
    errno = (int)counts->error;
    broken("not every attempt was refused as a policy refuses");
  }
  if (counts->false_denials) finish(exit_usage, "broken", "false denials");
  if (counts->moves == 0) finish(exit_usage, "broken", "the mover never ran");
  refused(EPERM);
}
