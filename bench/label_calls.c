// SPDX-License-Identifier: Apache-2.0
//
// The time of one call about a socket: label_calls WHAT [ROUNDS], WHAT one of set, get, connect,
// send. Run it without holdfast, under `holdfast run`, and under `holdfast run` with a policy to
// compare.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "get";
  const int rounds = argc > 2 ? atoi(argv[2]) : 20000;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  struct timespec begin, end;
  char value[64];
  int sink = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
  bind(sink, (void*)&address, sizeof address);
  getsockname(sink, (void*)&address, &length);
  connect(fd, (void*)&address, length);
  fsetxattr(fd, "user.varlink", "server", 6,
            0); /* nobody may keep it: then the calls fail, and cost that */
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < rounds; i++) {
    if (what[0] == 'c') connect(fd, (void*)&address, length);
    if (what[0] == 'g') fgetxattr(fd, "user.varlink", value, sizeof value);
    if (what[0] == 's' && what[2] == 't') fsetxattr(fd, "user.varlink", "server", 6, 0);
    if (what[0] == 's' && what[2] == 'n') send(fd, "x", 1, 0);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf(
      "%.0f\n",
      ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / rounds);
  return 0;
}
