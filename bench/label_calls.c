// SPDX-License-Identifier: Apache-2.0
//
// The time of one call about a socket: label_calls WHAT [ROUNDS], WHAT one of set, get, connect,
// send, path (connect of a unix datagram socket to a path). Run it without holdfast, under
// `holdfast run`, and under `holdfast run` with a policy to compare.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// Connects `fd` to its own server from here on. The file is gone at the end.
static struct sockaddr_un bind_path(int* fd) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "/tmp/label_calls.%d", (int)getpid());
  if (bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void*)&at, sizeof at) != 0) exit(1);
  *fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (connect(*fd, (void*)&at, sizeof at) != 0) exit(1);
  return at;
}

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
  struct sockaddr_un path = {0};
  if (what[0] == 'p') path = bind_path(&fd);
  fsetxattr(fd, "user.varlink", "server", 6,
            0); /* nobody may keep it: then the calls fail, and cost that */
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < rounds; i++) {
    if (what[0] == 'c') connect(fd, (void*)&address, length);
    if (what[0] == 'p') connect(fd, (void*)&path, sizeof path);
    if (what[0] == 'g') fgetxattr(fd, "user.varlink", value, sizeof value);
    if (what[0] == 's' && what[2] == 't') fsetxattr(fd, "user.varlink", "server", 6, 0);
    if (what[0] == 's' && what[2] == 'n') send(fd, "x", 1, 0);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (what[0] == 'p') unlink(path.sun_path);
  printf(
      "%.0f\n",
      ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / rounds);
  return 0;
}
