// SPDX-License-Identifier: Apache-2.0
/*
 * The functions of holdfast/label.h on a new socket, one result a line. With an argument: sets
 * user.varlink of a listener at that path to "listen", says "ready" and stays until its input ends.
 */
#include <holdfast/label.h>
#include <stdio.h>

static void stay(int fd, const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char byte;
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  if (bind(fd, (void*)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) perror("bind");
  printf("ready %d %d %d\n", getpid(), fd, holdfast_label_set(fd, "user.varlink", "listen"));
  fflush(stdout);
  while (read(0, &byte, 1) > 0) continue;
}

int main(int argc, char** argv) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  char value[4096], large[5000] = "";
  if (argc > 1) return stay(fd, argv[1]), 0;
  printf("supported %d\n", holdfast_label_supported(fd));
  printf("supported on no descriptor %d\n", holdfast_label_supported(999) == -EBADF);
  printf("get of none %d\n", holdfast_label_get(fd, "user.a", value, sizeof value) == -ENODATA);
  printf("set %d\n", holdfast_label_set(fd, "user.a", "one"));
  printf("get %zd %s\n", holdfast_label_get(fd, "user.a", value, sizeof value), value);
  printf("set anew %d\n", holdfast_label_set(fd, "user.a", "2 \"\xc3\xa4\x01\\"));
  printf("get anew %zd", holdfast_label_get(fd, "user.a", value, sizeof value));
  printf(" %d\n", strcmp(value, "2 \"\xc3\xa4\x01\\"));
  printf("empty %d", holdfast_label_set(fd, "user.empty", ""));
  printf(" %zd\n", holdfast_label_get(fd, "user.empty", value, 1));
  printf("length %zd\n", holdfast_label_get(fd, "user.a", NULL, 0));
  printf("no room %d\n", holdfast_label_get(fd, "user.a", value, 3) == -ERANGE);
  printf("just room %zd\n", holdfast_label_get(fd, "user.a", value, 8));
  printf("a name that is none %d\n", holdfast_label_set(fd, "varlink", "x") < 0);
  memset(large, 'x', 3000);
  printf("a long value %d", holdfast_label_set(fd, "user.long", large));
  printf(" %zd", holdfast_label_get(fd, "user.long", value, sizeof value));
  printf(" %d\n", strcmp(value, large));
  printf("remove %d\n", holdfast_label_remove(fd, "user.long"));
  printf("remove again %d\n", holdfast_label_remove(fd, "user.long") == -ENODATA);
  printf("no socket %d\n", holdfast_label_set(0, "user.a", "x") < 0);
  errno = 7;
  holdfast_label_set(999, "user.a", "x");
  holdfast_label_get(fd, "user.none", value, sizeof value);
  printf("errno %d\n", errno);
  return 0;
}
