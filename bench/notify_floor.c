// SPDX-License-Identifier: Apache-2.0
//
// The floor under every decision of the supervisor backend: a seccomp notification that is answered
// with CONTINUE at once, nothing read, nothing decided. Prints nanoseconds of one
// unshare(CLONE_SYSVSEM), bare and notified:
//
//   notify_floor [ROUNDS]
//
// With the argument "call" it makes the calls in this process and prints the time of one: run it
// under `holdfast run` to compare.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "notify.h"

enum { kDefaultRounds = 20000 };

// CLONE_SYSVSEM is a flag that makes no namespace and needs no privilege.
static double one_call_ns(int rounds) {
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < rounds; i++)
    if (unshare(CLONE_SYSVSEM) != 0) _exit(1);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
         rounds;
}

static double notified_ns(int rounds) {
  const int listener = notify_install(SYS_unshare);
  if (listener < 0) return -1;
  const pid_t answering = fork();
  if (answering == 0) notify_answer_all(listener);
  const double result = one_call_ns(rounds);
  kill(answering, SIGKILL);
  waitpid(answering, NULL, 0);
  return result;
}

int main(int argc, char** argv) {
  const int only_call = argc > 1 && strcmp(argv[1], "call") == 0;
  const int rounds = argc > 1 && !only_call ? atoi(argv[1]) : kDefaultRounds;
  const double bare = one_call_ns(rounds);
  if (only_call) {
    printf("%.0f\n", bare);
    return 0;
  }
  printf("%.0f %.0f\n", bare, notified_ns(rounds));
  return 0;
}
