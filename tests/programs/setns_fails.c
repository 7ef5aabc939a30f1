// SPDX-License-Identifier: Apache-2.0
/*
 * setns_fails: enters the user namespace that it is in, which the kernel refuses before it asks whether that may be;
 * prints the errno, then waits for the end of standard input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char byte;
  const int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  puts(setns(fd, CLONE_NEWUSER) == 0 ? "0" : strerrorname_np(errno));
  fflush(stdout);
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
