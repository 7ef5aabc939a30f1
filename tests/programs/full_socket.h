// SPDX-License-Identifier: Apache-2.0
/* A connected socket whose last close() waits for an hour: it lingers, and what it has to send finds no reader. */
#ifndef HOLDFAST_TESTS_FULL_SOCKET_H
#define HOLDFAST_TESTS_FULL_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int full_socket(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct linger linger = {.l_onoff = 1, .l_linger = 3600};
  socklen_t size = sizeof(address);
  static char block[65536];
  int small = 2048;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int sender = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  if (bind(listener, (struct sockaddr*)&address, size) || listen(listener, 1) ||
      getsockname(listener, (struct sockaddr*)&address, &size) ||
      connect(sender, (struct sockaddr*)&address, size) || accept(listener, 0, 0) < 0 ||
      setsockopt(sender, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger))) {
    perror("a connection that lingers");
    exit(1);
  }
  close(listener);
  while (send(sender, block, sizeof(block), MSG_DONTWAIT) > 0) {
  }
  if (errno != EAGAIN) {
    perror("send");
    exit(1);
  }
  return sender;
}

#endif /* HOLDFAST_TESTS_FULL_SOCKET_H */
