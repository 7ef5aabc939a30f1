// SPDX-License-Identifier: Apache-2.0
/*
 * attack_orphaned WHAT TASKS: the supervisor is killed (by attack_outside, on request) while TASKS
 * tasks call setns() to the host as fast as they can. Whoever of them arrives there leaves a mark
 * in a file that outlives the sandbox; so does a second listener that answers "continue" once the
 * first is gone.
 *
 * Called as `attack_orphaned attack FILE TASKS` inside, and as `attack_orphaned judge FILE` when
 * all is over, which prints the result: the attacker itself may have been killed with its
 * supervisor.
 */
#include "attack.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static int type = ns_uts;

static void mark(const char* file, const char* text) {
  int fd = open(file, O_WRONLY | O_APPEND);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) broken(file);
  close(fd);
}

static void try_forever(const char* file) {
  for (;;) {
    if (raw(SYS_setns, outside_ns_fd(place_host, type), ns_flag[type], 0, 0, 0) == 0 &&
        is_outside(place_host, type)) {
      mark(file, "escaped\n");
      _exit(0);
    }
  }
}

/* Each try installs a filter for good, so the tries are few and late. */
static void listen_and_continue(const char* file) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (;; usleep(1000)) {
    long listener = raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        (long)&program, 0, 0);
    if (listener < 0) continue;
    mark(file, "listener\n");
    if (fork() == 0) {
      alarm(4);
      try_forever(file);
    }
    for (;;) {
      struct seccomp_notif request = {0};
      if (ioctl((int)listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) continue;
      struct seccomp_notif_resp response = {.id = request.id,
                                            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
      ioctl((int)listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
  }
}

static int attack(const char* file, int tasks) {
  char byte = ask_kill;
  mark(file, "started\n");
  for (int i = 0; i < tasks; i++)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, 0);
      alarm(4); /* the judge's time is up then */
      if (setsid() < 0) _exit(1);
      if (i == 0) listen_and_continue(file);
      try_forever(file);
    }
  usleep(50000);
  int to = ask_connect();
  if (send(to, &byte, 1, 0) != 1) broken("ask to be orphaned");
  usleep(1500000); /* the attackers' time after the death; attack_outside does not wait for it */
  mark(file, "survived\n");
  return 0;
}

static int judge(const char* file) {
  char text[4096] = "";
  int fd = open(file, O_RDONLY);
  usleep(2000000);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) broken(file);
  if (strstr(text, "escaped")) escaped();
  if (!strstr(text, "started")) finish(exit_usage, "broken", "the attack never began");
  finish(exit_refused, "refused",
         strstr(text, "survived") ? "the workload survived" : "the workload died");
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "attack") == 0) return attack(argv[2], atoi(argv[3]));
  if (argc == 3 && strcmp(argv[1], "judge") == 0) return judge(argv[2]);
  fprintf(stderr, "usage: attack_orphaned attack FILE TASKS | judge FILE\n");
  return exit_usage;
}
