// SPDX-License-Identifier: Apache-2.0
/*
 * label_for SOCKET NAME [TASK SESSION]: asks holdfastd at SOCKET to set the label NAME on a new socket of this process,
 * for the task TASK of SESSION. Prints 0, or the errno of the refusal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char* what) {
  perror(what);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) return 2;
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strncpy(to.sun_path, argv[1], sizeof(to.sun_path) - 1);
  int labelled = socket(AF_UNIX, SOCK_DGRAM, 0), server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(server, (struct sockaddr*)&to, sizeof(to)) != 0) return fail("connect");
  char call[512], member[128] = "", reply[4096];
  if (argc == 5) snprintf(member, sizeof(member), ",\"task\":%s,\"session\":%s", argv[3], argv[4]);
  int length = snprintf(call, sizeof(call),
                        "{\"method\":\"io.holdfast.Control.SetLabel\",\"parameters\":"
                        "{\"name\":\"%s\",\"value\":\"eA==\",\"fd\":%d%s}}",
                        argv[2], labelled, member);
  if (write(server, call, (size_t)length + 1) != length + 1) return fail("write");
  ssize_t got = read(server, reply, sizeof(reply) - 1);
  if (got <= 0) return fail("read");
  reply[got] = 0;
  const char* number = strstr(reply, "\"errno\":");
  if (number == NULL && strstr(reply, "\"error\"") != NULL) {
    printf("%s\n", reply);
    return 0;
  }
  printf("%d\n", number == NULL ? 0 : atoi(number + strlen("\"errno\":")));
  return 0;
}
