// SPDX-License-Identifier: Apache-2.0
/*
 * label_churn COUNT [machine]: opens COUNT labelled sockets and closes them, a few thousand at a
 * time, and says how much more memory the supervisor (its parent) has in the end: "back to its
 * start", within 2 MiB, or not. With "machine" it is the memory that the whole machine uses, its
 * caches dropped, within 4 MiB.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { at_once = 4000, patience_s = 30 };

/* Of the kernel: what is in use is what is not available. */
static long machine_kib(void) {
  char line[256];
  long total = 0, available = 0;
  FILE* drop = fopen("/proc/sys/vm/drop_caches", "w");
  if (!drop || fputs("3", drop) < 0 || fclose(drop) != 0) {
    perror("drop_caches");
    exit(2);
  }
  FILE* file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    sscanf(line, "MemTotal: %ld", &total);
    sscanf(line, "MemAvailable: %ld", &available);
  }
  if (file) fclose(file);
  return total - available;
}

static long resident_kib(pid_t pid) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "VmRSS: %ld", &kib);
  if (file) fclose(file);
  return kib;
}

static long used_kib(int machine) { return machine ? machine_kib() : resident_kib(getppid()); }

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
  const long count = argc > 1 ? atol(argv[1]) : 100000;
  const int machine = argc > 2;
  const long slack_kib = machine ? 4096 : 2048;
  long start, kib;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  churn(2 * at_once); /* what is allocated once */
  sleep(3);
  start = used_kib(machine);
  churn(count);
  kib = used_kib(machine);
  fprintf(stderr, "# %ld KiB at the start, %ld right after\n", start, kib);
  for (int s = 0; s < patience_s && kib > start + slack_kib; s++) {
    sleep(1);
    kib = used_kib(machine);
  }
  fprintf(stderr, "# %ld KiB in the end\n", kib);
  if (start > 0 && kib <= start + slack_kib)
    puts("back to its start");
  else
    printf("%ld KiB, then %ld\n", start, kib);
  return 0;
}
