// SPDX-License-Identifier: Apache-2.0
/*
 * socket_accept unix|inet: what accept(2) does, a line for each. It is the same whichever process makes the call.
 * socket_accept orphan FILE: a child waits for a connection that never comes, and leaves in FILE
 * what came of it; FILE is there, empty, when it waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seconds.h"

enum { many = 100, waiters = 4, some = 10 };

static int family;
static struct sockaddr_storage address;
static socklen_t address_length;

static const char* word(long value) { return value >= 0 ? "0" : strerrorname_np(errno); }

static int new_listener(int flags) {
  int fd = socket(family, SOCK_STREAM | flags, 0);
  memset(&address, 0, sizeof address);
  address.ss_family = (sa_family_t)family;
  address_length = family == AF_UNIX ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
  if (family == AF_INET) ((struct sockaddr_in*)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (void*)&address, address_length) != 0 || listen(fd, 4000) != 0) {
    perror("listen");
    exit(2);
  }
  address_length = sizeof address;
  getsockname(fd, (void*)&address, &address_length);
  return fd;
}

static int new_client(void) {
  int fd = socket(family, SOCK_STREAM, 0);
  if (connect(fd, (void*)&address, address_length) != 0) {
    perror("connect");
    exit(2);
  }
  return fd;
}

static void handler(int unused) { (void)unused; }

static void handle(int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(SIGUSR1, &action, NULL);
}

/* Signals the one thread a few times while it waits; then, perhaps, connects. */
static pid_t disturb(bool connects) {
  pid_t parent = getpid(), child = fork();
  if (child != 0) return child;
  for (int i = 0; i < 3; i++) {
    usleep(100 * 1000);
    kill(parent, SIGUSR1);
  }
  if (connects) new_client();
  pause();
  _exit(0);
}

static const char* while_disturbed(int listener, int flags, bool connects) {
  handle(flags);
  pid_t child = disturb(connects);
  const char* said = word(accept(listener, NULL, NULL));
  usleep(400 * 1000); /* the signals that are still to come */
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return said;
}

static void say_mistakes(void) {
  int listener = new_listener(SOCK_NONBLOCK), pipe_ends[2];
  int negative = -1;
  struct sockaddr_storage at;
  if (pipe(pipe_ends) != 0) exit(2);
  int plain = socket(family, SOCK_STREAM, 0), datagrams = socket(family, SOCK_DGRAM, 0);
  printf("no connection: %s\n", word(accept(listener, NULL, NULL)));
  printf("no such flag: %s\n", word(accept4(listener, NULL, NULL, 1)));
  printf("no descriptor: %s\n", word(accept(999, NULL, NULL)));
  printf("no socket: %s\n", word(accept(pipe_ends[0], NULL, NULL)));
  printf("not listening: %s\n", word(accept(plain, NULL, NULL)));
  printf("datagrams: %s\n", word(accept(datagrams, NULL, NULL)));
  new_client();
  printf("less than no room: %s\n", word(accept(listener, (void*)&at, (void*)&negative)));
  new_client();
  printf("no memory: %s\n", word(accept(listener, (void*)&at, (void*)8)));
  printf("the connection is gone: %s\n", word(accept(listener, NULL, NULL)));
  close(listener);
}

static void say_waiting(void) {
  int listener = new_listener(0);
  const struct timeval limit = {0, 300 * 1000}, none = {0, 0};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  double start = now();
  const char* said = word(accept(listener, NULL, NULL));
  double waited = now() - start;
  printf("a time limit: %s, %s\n", said, waited > 0.25 && waited < 20 ? "after it" : "too soon");
  const struct timeval long_limit = {600, 0};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &long_limit, sizeof long_limit);
  printf("a signal before a time limit: %s\n", while_disturbed(listener, SA_RESTART, false));
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  printf("a signal: %s\n", while_disturbed(listener, 0, false));
  printf("a signal that restarts: %s\n", while_disturbed(listener, SA_RESTART, true));
  close(listener);
}

static void say_result(void) {
  int listener = new_listener(0);
  struct stat status;
  struct sockaddr_storage at;
  socklen_t length = sizeof at;
  int client = new_client();
  int fd = accept4(listener, (void*)&at, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  fstat(fd, &status);
  printf("flags: %s %s\n", fcntl(fd, F_GETFD) == FD_CLOEXEC ? "close-on-exec" : "no",
         fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking" : "no");
  printf("address: %u bytes, family %s\n", length, at.ss_family == family ? "right" : "wrong");
  printf("owner: %s\n",
         status.st_uid == geteuid() && status.st_gid == getegid() ? "right" : "wrong");
  close(fd), close(client);
  if (family == AF_UNIX) { /* one that has a name */
    struct sockaddr_un named = {.sun_family = AF_UNIX};
    client = socket(family, SOCK_STREAM, 0);
    bind(client, (void*)&named, sizeof(sa_family_t));
    connect(client, (void*)&address, address_length);
  } else {
    client = new_client();
  }
  unsigned char bytes[8];
  memset(bytes, 0xee, sizeof bytes);
  length = 3;
  fd = accept(listener, (void*)bytes, &length);
  printf("too little room: %s, %u bytes, %s\n", word(fd), length,
         bytes[2] != 0xee && bytes[3] == 0xee ? "three written" : "not three written");
  printf("flags: %s %s\n", fcntl(fd, F_GETFD) == FD_CLOEXEC ? "close-on-exec" : "no",
         fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking" : "no");
  if (family == AF_UNIX) {
    struct ucred whose = {0};
    length = sizeof whose;
    getsockopt(client, SOL_SOCKET, SO_PEERCRED, &whose, &length);
    printf("who listens: %s\n", whose.pid == getpid() ? "this process" : "another");
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &whose, &length);
    printf("who connected: %s\n", whose.pid == getpid() ? "this process" : "another");
  }
  close(fd), close(client), close(listener);
}

static void say_full_table(void) {
  struct rlimit before, now_limit;
  int listener = new_listener(SOCK_NONBLOCK), client = new_client();
  getrlimit(RLIMIT_NOFILE, &before);
  now_limit = before;
  int next = dup(listener);
  close(next);
  now_limit.rlim_cur = (rlim_t)next;
  setrlimit(RLIMIT_NOFILE, &now_limit);
  printf("no number left: %s\n", word(accept(listener, NULL, NULL)));
  setrlimit(RLIMIT_NOFILE, &before);
  printf("the connection after that: %s\n", word(accept(listener, NULL, NULL)));
  close(client), close(listener);
}

/* A child waits and is killed; who asks next, or waits too, gets the connection. */
static void say_killed(void) {
  const struct timeval limit = {5, 0};
  int after = 0, beside = 0;
  for (int i = 0; i < 2 * some; i++) {
    int listener = new_listener(0);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pid_t waits = fork(), also = 1;
    if (waits == 0) _exit(accept(listener, NULL, NULL) < 0);
    if (i >= some && (usleep(30 * 1000), also = fork()) == 0)
      _exit(accept(listener, NULL, NULL) >= 0);
    usleep(60 * 1000);
    kill(waits, SIGKILL);
    waitpid(waits, NULL, 0);
    int client = new_client(), status = 0;
    if (i < some) {
      int fd = accept(listener, NULL, NULL);
      after += fd >= 0;
      close(fd);
    } else {
      waitpid(also, &status, 0);
      beside += WIFEXITED(status) && WEXITSTATUS(status) == 1;
    }
    close(client), close(listener);
  }
  printf("after one that was killed: %d of %d\n", after, some);
  printf("beside one that was killed: %d of %d\n", beside, some);
}

static int shared_listener, other_listener;
static int accepted_by[waiters];

static void* wait_for_one(void* unused) {
  accept(other_listener, NULL, NULL);
  return unused;
}

static void* accept_some(void* number) {
  for (;;) {
    char byte = 0;
    int fd = accept(shared_listener, NULL, NULL);
    if (fd < 0 || read(fd, &byte, 1) != 1 || byte == 'q') return NULL;
    accepted_by[(long)number]++;
    close(fd);
  }
}

static void say_many(void) {
  pthread_t waiting, threads[waiters];
  int sum = 0;
  other_listener = new_listener(0);
  pthread_create(&waiting, NULL, wait_for_one, NULL);
  usleep(100 * 1000);
  shared_listener = new_listener(0);
  for (int i = 0; i < many; i++) {
    int client = new_client(), fd = accept(shared_listener, NULL, NULL);
    sum += fd >= 0;
    close(client), close(fd);
  }
  printf("while one waits: %d of %d\n", sum, many);
  for (long i = 0; i < waiters; i++) pthread_create(&threads[i], NULL, accept_some, (void*)i);
  /* They stay open: a peer that has closed is another matter. */
  for (int i = 0; i < many + waiters; i++)
    if (write(new_client(), i < many ? "x" : "q", 1) != 1) printf("broken\n");
  sum = 0;
  for (int i = 0; i < waiters; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < waiters; i++) sum += accepted_by[i];
  printf("by several: %d of %d\n", sum, many);
}

/* A network namespace of an ordinary user's begins with its loopback device down. */
static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
}

static void leave_orphan(const char* path) {
  int listener = new_listener(0);
  if (fork() != 0) pause();
  FILE* file = fopen(path, "w");
  const char* said = word(accept(listener, NULL, NULL));
  fprintf(file, "%s\n", said);
  fclose(file);
  _exit(0);
}

int main(int argc, char** argv) {
  family = argc > 1 && strcmp(argv[1], "inet") == 0 ? AF_INET : AF_UNIX;
  loopback_up();
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  if (argc > 2) leave_orphan(argv[2]);
  say_mistakes();
  say_waiting();
  say_result();
  say_full_table();
  say_killed();
  say_many();
  fflush(stdout);
  _exit(0);
}
