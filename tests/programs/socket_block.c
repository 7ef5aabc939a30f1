// SPDX-License-Identifier: Apache-2.0
/*
 * socket_block: a thread connects to a server that takes no more, so it blocks. Meanwhile others
 * are answered; then a signal with a handler ends the connect, as it would without anybody in
 * between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address;
static volatile int blocked_error = -1;

static void handler(int unused) { (void)unused; }

static void* block(void* unused) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  blocked_error = connect(fd, (void*)&address, sizeof address) == 0 ? 0 : errno;
  return unused;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  struct timespec start, end;
  socklen_t length = sizeof address;
  pthread_t thread;
  sigaction(SIGUSR1, &action, NULL);
  int server = socket(AF_INET, SOCK_STREAM, 0), open_server = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_in open_address = address;
  bind(open_server, (void*)&open_address, sizeof open_address);
  listen(open_server, 200);
  getsockname(open_server, (void*)&open_address, &length);
  bind(server, (void*)&address, sizeof address);
  listen(server, 0);
  getsockname(server, (void*)&address, &length);
  for (int i = 0; i < 4; i++) { /* fill its queue */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, (void*)&address, sizeof address);
  }
  pthread_create(&thread, NULL, block, NULL);
  usleep(200 * 1000);
  clock_gettime(CLOCK_MONOTONIC, &start);
  int good = 0;
  for (int i = 0; i < 100; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    fsetxattr(fd, "user.varlink", "server", 6, 0);
    good += connect(fd, (void*)&open_address, sizeof open_address) == 0;
    close(fd);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%d of 100 others connected, while one was %s\n", good,
         blocked_error < 0 ? "blocked" : "not blocked");
  fprintf(stderr, "# in %.3f s\n",
          (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9);
  for (int i = 0; i < 100 && blocked_error < 0; i++) {
    pthread_kill(thread, SIGUSR1);
    usleep(50 * 1000);
  }
  printf("a signal ends it: %s\n", blocked_error > 0 ? strerrorname_np(blocked_error) : "no");
  fflush(stdout);
  _exit(0);
}
