// SPDX-License-Identifier: Apache-2.0
/*
 * label_churn COUNT: opens COUNT labelled sockets and closes them, a few thousand at a time, and
 * says how much more memory the supervisor (its parent) has in the end: "back to its start", within
 * 2 MiB, or not.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { at_once = 4000, slack_kib = 2048, patience_s = 30 };

static long resident_kib(pid_t pid) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "VmRSS: %ld", &kib);
  if (file) fclose(file);
  return kib;
}

static void churn(long count) {
  static int fds[at_once];
  char value[64];
  for (long done = 0; done < count; done += at_once) {
    long now = count - done < at_once ? count - done : at_once;
    for (long i = 0; i < now; i++) {
      fds[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
      snprintf(value, sizeof value, "socket number %ld, which is a server", done + i);
      if (fds[i] < 0 || fsetxattr(fds[i], "user.varlink", value, strlen(value), 0) != 0) {
        perror("label");
        exit(2);
      }
    }
    for (long i = 0; i < now; i++) close(fds[i]);
  }
}

int main(int argc, char** argv) {
  long count = argc > 1 ? atol(argv[1]) : 100000, start, kib;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  churn(2 * at_once); /* what is allocated once */
  sleep(3);
  start = resident_kib(getppid());
  churn(count);
  kib = resident_kib(getppid());
  fprintf(stderr, "# %ld KiB at the start, %ld right after\n", start, kib);
  for (int s = 0; s < patience_s && kib > start + slack_kib; s++) {
    sleep(1);
    kib = resident_kib(getppid());
  }
  fprintf(stderr, "# %ld KiB in the end\n", kib);
  if (start > 0 && kib <= start + slack_kib)
    puts("back to its start");
  else
    printf("%ld KiB, then %ld\n", start, kib);
  return 0;
}
