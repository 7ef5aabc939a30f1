// SPDX-License-Identifier: Apache-2.0
/*
 * attack_sctp HOW: binds or connects an SCTP socket that is labelled user.varlink=client, which
 * may not.
 *
 *   connect | bind                     by the calls of that name
 *   connectx | connectx-old | connectx3 | bindx   by options of the socket
 *   message | message-many             by a message to a peer that it is not connected to
 */
#include "attack.h"

#include <netinet/in.h>

#include "label_by.h"

enum { sol_sctp = 132, bindx_add = 100, connectx_old = 107, connectx = 110, connectx3 = 111 };

static struct sockaddr_in server_address;

static int new_socket(int type) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, IPPROTO_SCTP);
  if (fd >= 0) return fd;
  if (errno == EPERM) refused(errno);
  impossible("no SCTP");
}

static void new_server(void) {
  socklen_t length = sizeof server_address;
  int fd = new_socket(SOCK_STREAM);
  server_address.sin_family = AF_INET;
  server_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (void*)&server_address, sizeof server_address) != 0 || listen(fd, 10) != 0)
    broken("server");
  getsockname(fd, (void*)&server_address, &length);
}

static bool is_bound(int fd) {
  struct sockaddr_in own = {0};
  socklen_t length = sizeof own;
  return getsockname(fd, (void*)&own, &length) == 0 && own.sin_port != 0;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  const bool sends = strncmp(how, "message", 7) == 0, binds = strncmp(how, "bind", 4) == 0;
  int fd = new_socket(sends ? SOCK_SEQPACKET : SOCK_STREAM);
  if (!binds) new_server();
  if (label_by(fd, "user.varlink", "client") != 0 && errno != EPERM) broken("label");
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr* to = (void*)&server_address;
  const socklen_t length = sizeof server_address;
  long result = -EINVAL;
  if (strcmp(how, "bind") == 0) result = bind(fd, (void*)&own, sizeof own);
  if (strcmp(how, "connect") == 0) result = connect(fd, to, length);
  if (strcmp(how, "bindx") == 0) result = setsockopt(fd, sol_sctp, bindx_add, &own, sizeof own);
  if (strcmp(how, "connectx") == 0) result = setsockopt(fd, sol_sctp, connectx, to, length);
  if (strcmp(how, "connectx-old") == 0) result = setsockopt(fd, sol_sctp, connectx_old, to, length);
  if (strcmp(how, "connectx3") == 0) {
    struct {
      int association, bytes;
      void* addresses;
    } request = {0, (int)length, to};
    socklen_t room = sizeof request;
    result = getsockopt(fd, sol_sctp, connectx3, &request, &room);
  }
  if (strcmp(how, "message") == 0) result = sendto(fd, "x", 1, MSG_NOSIGNAL, to, length);
  if (strcmp(how, "message-many") == 0) {
    struct iovec data = {"x", 1};
    struct mmsghdr message = {
        {.msg_name = to, .msg_namelen = length, .msg_iov = &data, .msg_iovlen = 1}, 0};
    result = sendmmsg(fd, &message, 1, MSG_NOSIGNAL);
  }
  const int error = errno;
  if (result >= 0 || (binds && is_bound(fd))) escaped();
  refused(error);
}
