// SPDX-License-Identifier: Apache-2.0
/*
 * namespaces_many COUNT: makes UTS namespaces, all alive at one time, until one is refused. Prints how many it made, and
 * the errno of the one that was refused, or 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(int argc, char** argv) {
  int count = argc == 2 ? atoi(argv[1]) : 0, made = 0, error = 0;
  struct rlimit most = {1 << 20, 1 << 20};
  if (count <= 0) {
    fprintf(stderr, "usage: namespaces_many COUNT\n");
    return 2;
  }
  setrlimit(RLIMIT_NOFILE, &most);
  while (made < count) {
    if (unshare(CLONE_NEWUTS) != 0) {
      error = errno;
      break;
    }
    made++;
    if (open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC) < 0) {
      error = errno;
      break;
    }
  }
  printf("%d %d\n", made, error);
  return 0;
}
