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
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static int install(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                      &program);
}

// The answering child is filtered too, but makes no call that the filter stops.
static double notified_ns(int rounds) {
  const int listener = install();
  if (listener < 0) return -1;
  const pid_t answering = fork();
  if (answering == 0) {
    for (;;) {
      struct seccomp_notif call;
      struct seccomp_notif_resp answer;
      memset(&call, 0, sizeof(call));
      memset(&answer, 0, sizeof(answer));
      if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
      answer.id = call.id;
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }
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
