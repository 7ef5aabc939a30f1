// SPDX-License-Identifier: Apache-2.0
/*
 * socket_stay PATH: has a unix socket in each state, says "PID FD..." and stays until its input
 * ends:
 *   a listener bound to PATH; a stream connected to it, and what it accepted; a datagram socket
 *   bound to "\0socket_stay"; one that is nothing yet; an internet listener
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct sockaddr_un path = {.sun_family = AF_UNIX}, name = {.sun_family = AF_UNIX};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (argc != 2) return 2;
  strncpy(path.sun_path, argv[1], sizeof path.sun_path - 1);
  memcpy(name.sun_path, "\0socket_stay", 12);
  const socklen_t name_length = sizeof(sa_family_t) + 12;
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  int bound = socket(AF_UNIX, SOCK_DGRAM, 0), open_one = socket(AF_UNIX, SOCK_DGRAM, 0);
  int internet = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void*)&path, sizeof path) != 0 || listen(listener, 1) != 0 ||
      connect(client, (void*)&path, sizeof path) != 0 ||
      bind(bound, (void*)&name, name_length) != 0 || bind(internet, (void*)&any, sizeof any) != 0 ||
      listen(internet, 1) != 0) {
    perror("socket_stay");
    return 1;
  }
  int accepted = accept(listener, NULL, NULL);
  printf("%d %d %d %d %d %d %d\n", getpid(), listener, client, accepted, bound, open_one, internet);
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  unlink(argv[1]);
  return 0;
}
