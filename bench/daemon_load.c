// SPDX-License-Identifier: Apache-2.0
/*
 * daemon_load SECONDS FILE...: one task writes "0", itself, to the files (cgroup.procs) in turn, as
 * fast as it can. Prints "attempts N refused N ms N cpu_ms N".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double now_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: daemon_load SECONDS FILE...\n");
    return 2;
  }
  const struct rlimit many = {8192, 8192};
  const int count = argc - 2;
  int* files = calloc((size_t)count, sizeof *files);
  setrlimit(RLIMIT_NOFILE, &many);
  for (int i = 0; i < count; i++) {
    files[i] = open(argv[i + 2], O_WRONLY);
    if (files[i] < 0) return perror(argv[i + 2]), 1;
  }
  long attempts = 0, refused = 0;
  const double begin = now_ms(CLOCK_MONOTONIC), end = begin + 1e3 * atof(argv[1]);
  while (now_ms(CLOCK_MONOTONIC) < end) {
    if (write(files[attempts % count], "0", 1) < 0) {
      if (errno != EPERM) return perror("write"), 1;
      refused++;
    }
    attempts++;
  }
  printf("attempts %ld refused %ld ms %.0f cpu_ms %.0f\n", attempts, refused,
         now_ms(CLOCK_MONOTONIC) - begin, now_ms(CLOCK_PROCESS_CPUTIME_ID));
  return 0;
}
