// SPDX-License-Identifier: Apache-2.0
/*
 * socket_connect: what connect(2) of a unix socket to a path does, a line for each case. The lines are the same
 * whichever process makes the call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "seconds.h"

enum { threads = 8, each = 50, others = 100 };

static char folder[] = "/tmp/socket_connect.XXXXXX";
static struct sockaddr_un full = {.sun_family = AF_UNIX, .sun_path = "full"};
static struct sockaddr_un open_one = {.sun_family = AF_UNIX, .sun_path = "open"};

static const char* word(long value) { return value >= 0 ? "0" : strerrorname_np(errno); }

static int serve(const char* name, int type, int backlog) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "%s", name);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (bind(fd, (void*)&at, sizeof at) != 0 || (type != SOCK_DGRAM && listen(fd, backlog) != 0)) {
    perror(name);
    exit(2);
  }
  return fd;
}

static long connect_with(int type, const char* path, socklen_t length) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  memcpy(at.sun_path, path, strnlen(path, sizeof at.sun_path));
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  long result = connect(fd, (void*)&at, length);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

static void say(const char* what, const char* path) {
  printf("%s: %s\n", what, word(connect_with(SOCK_STREAM, path, sizeof(struct sockaddr_un))));
}

static void places(void) {
  char text[200], whole[200], longest[109];
  int fd = serve("dead", SOCK_STREAM, 1);
  close(fd);
  close(open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0777));
  if (symlink("open", "link") != 0 || symlink("loop", "loop2") != 0 || mkdir("folder", 0777) != 0 ||
      mkdir("closed", 0777) != 0)
    exit(2);
  fd = serve("unwritable", SOCK_STREAM, 10);
  chmod("unwritable", 0555);
  int inside = serve("closed/open", SOCK_STREAM, 10);
  chmod("closed", 0600);
  snprintf(whole, sizeof whole, "%s/open", folder);
  say("from the root", whole);
  say("from a directory", "./folder/../open");
  say("by a link", "link");
  say("nothing there", "nothing");
  say("no such directory", "nothing/open");
  say("no directory", "file/open");
  say("with a slash behind", "open/");
  say("a directory", "folder");
  say("a file", "file");
  say("nobody listens any more", "dead");
  say("a datagram socket", "datagrams");
  say("without the right to write", "unwritable");
  say("without the right to search", "closed/open");
  int path_fd = open("open", O_PATH | O_CLOEXEC);
  snprintf(text, sizeof text, "/proc/self/fd/%d", path_fd);
  say("by a descriptor", text);
  snprintf(text, sizeof text, "/dev/fd/%d", path_fd);
  say("by a descriptor, otherwise", text);
  say("by a descriptor that there is not", "/proc/self/fd/4000");
  close(path_fd);
  memset(longest, 'x', sizeof longest);
  longest[108] = 0;
  int long_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  memcpy(at.sun_path, longest, sizeof at.sun_path);
  printf("bind to the longest name: %s\n", word(bind(long_fd, (void*)&at, sizeof at)));
  listen(long_fd, 10);
  say("the longest name", longest);
  printf("a length of 2: %s\n", word(connect_with(SOCK_STREAM, "open", 2)));
  printf("a length of 0: %s\n", word(connect_with(SOCK_STREAM, "open", 0)));
  printf("a length of 200: %s\n", word(connect_with(SOCK_STREAM, "open", 200)));
  printf("a negative length: %s\n", word(connect_with(SOCK_STREAM, "open", (socklen_t)-1)));
  printf("a length that ends in the name: %s\n",
         word(connect_with(SOCK_STREAM, "openness", offsetof(struct sockaddr_un, sun_path) + 4)));
  int lost = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  printf("an address that is not there: %s\n", word(connect(lost, (void*)16, sizeof at)));
  struct sockaddr other = {.sa_family = AF_INET};
  printf("an address of another family: %s\n", word(connect(lost, &other, sizeof other)));
  close(fd), close(inside), close(long_fd), close(lost);
  chmod("closed", 0700);
}

static void once_connected(int server) {
  struct ucred who = {0, 0, 0};
  struct sockaddr_un name;
  socklen_t length = sizeof who, name_length = sizeof name;
  char byte;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  printf("connect: %s\n", word(connect(fd, (void*)&open_one, sizeof open_one)));
  int accepted = accept(server, NULL, NULL);
  getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length);
  printf("the server sees the user and the group: %s, and a process that is there: %s\n",
         who.uid == geteuid() && who.gid == getegid() ? "yes" : "no",
         who.pid > 0 && (kill(who.pid, 0) == 0 || errno == EPERM) ? "yes" : "no");
  length = sizeof who;
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length);
  printf("the client sees the server: %s\n", who.pid == getpid() ? "yes" : "no");
  getpeername(fd, (void*)&name, &name_length);
  printf("its name: %s\n", name.sun_path);
  printf("again: %s\n", word(connect(fd, (void*)&open_one, sizeof open_one)));
  printf("data: %s", word(write(fd, "x", 1)));
  printf(" %s\n", read(accepted, &byte, 1) == 1 && byte == 'x' ? "came" : "did not come");
  double start = now();
  close(fd);
  printf("the end: %s\n",
         read(accepted, &byte, 1) == 0 && now() - start < 0.5 ? "at once" : "late");
  close(accepted);
}

static void datagrams(int server) {
  struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "datagrams"};
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  char byte;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  printf("a datagram socket connects: %s\n", word(connect(fd, (void*)&to, sizeof to)));
  printf("and sends: %s", word(send(fd, "y", 1, 0)));
  printf(" %s\n", recv(server, &byte, 1, 0) == 1 && byte == 'y' ? "came" : "did not come");
  printf("again: %s\n", word(connect(fd, (void*)&to, sizeof to)));
  printf("is disconnected: %s", word(connect(fd, &none, sizeof none)));
  printf(" %s\n", word(send(fd, "y", 1, 0)));
  printf("to a stream: %s\n", word(connect_with(SOCK_DGRAM, "open", sizeof to)));
  close(fd);
}

static volatile int blocked_error, blocked_done;
static volatile double blocked_time;
static int blocked_limit_ms;
static void handler(int unused) { (void)unused; }

static void* block(void* unused) {
  double start = now();
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (blocked_limit_ms) {
    struct timeval limit = {blocked_limit_ms / 1000, blocked_limit_ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  blocked_error = connect(fd, (void*)&full, sizeof full) == 0 ? 0 : errno;
  blocked_time = now() - start;
  blocked_done = 1;
  close(fd);
  return unused;
}

static pthread_t start_blocked(int limit_ms, int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  pthread_t thread;
  sigaction(SIGUSR1, &action, NULL);
  blocked_done = 0, blocked_limit_ms = limit_ms;
  pthread_create(&thread, NULL, block, NULL);
  usleep(200000);
  return thread;
}

static void join_blocked(pthread_t thread, const char* what) {
  for (int i = 0; i < 200 && !blocked_done; i++) usleep(25000);
  if (!blocked_done) {
    printf("%s: hangs\n", what);
    fflush(stdout);
    _exit(1);
  }
  pthread_join(thread, NULL);
  printf("%s: %s\n", what, blocked_error ? strerrorname_np(blocked_error) : "0");
}

static void queue_is_full(void) {
  int server = serve("full", SOCK_STREAM, 0), good = 0;
  int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(first, (void*)&full, sizeof full);
  printf("a full queue, O_NONBLOCK: %s\n",
         word(connect_with(SOCK_STREAM | SOCK_NONBLOCK, "full", sizeof full)));
  pthread_t thread = start_blocked(300, 0);
  join_blocked(thread, "for a limited time");
  printf("which it took: %s\n", blocked_time > 0.25 && blocked_time < 2 ? "yes" : "no");
  thread = start_blocked(0, 0);
  for (int i = 0; i < others; i++) good += connect_with(SOCK_STREAM, "open", sizeof full) == 0;
  printf("%d of %d others connect meanwhile\n", good, others);
  pthread_kill(thread, SIGUSR1);
  join_blocked(thread, "a signal");
  thread = start_blocked(20000, SA_RESTART);
  pthread_kill(thread, SIGUSR1);
  join_blocked(thread, "a signal that restarts, with a limit");
  thread = start_blocked(0, SA_RESTART);
  pthread_kill(thread, SIGUSR1);
  usleep(200000);
  printf("a signal that restarts: %s\n", blocked_done ? "ended it" : "waits");
  close(accept(server, NULL, NULL));
  join_blocked(thread, "then there is room");
  thread = start_blocked(0, 0);
  close(accept(server, NULL, NULL));
  join_blocked(thread, "there is room");
  thread = start_blocked(0, 0);
  close(server);
  join_blocked(thread, "the listener closes");
  close(first);
}

static int crowd_server;
static void* take(void* unused) {
  for (int i = 0; i < threads * each; i++) close(accept(crowd_server, NULL, NULL));
  return unused;
}
static void* come(void* good) {
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "crowd"};
  for (int i = 0; i < each; i++)
    *(int*)good += connect_with(SOCK_STREAM, at.sun_path, sizeof at) == 0;
  return NULL;
}

static void crowd(void) {
  pthread_t all[threads], taker;
  int good[threads] = {0}, sum = 0;
  crowd_server = serve("crowd", SOCK_STREAM, 5);
  pthread_create(&taker, NULL, take, NULL);
  for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, come, &good[i]);
  for (int i = 0; i < threads; i++) {
    pthread_join(all[i], NULL);
    sum += good[i];
  }
  printf("%d of %d connects of %d threads\n", sum, threads * each, threads);
  if (sum == threads * each) pthread_join(taker, NULL);
  close(crowd_server);
}

static void tidy_up(void) {
  static const char* const names[] = {"dead",        "file", "link",      "loop2", "unwritable",
                                      "closed/open", "open", "datagrams", "full",  "crowd"};
  char longest[109];
  memset(longest, 'x', sizeof longest);
  longest[108] = 0;
  unlink(longest);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(names[i]);
  rmdir("folder"), rmdir("closed"), rmdir(folder);
}

int main(void) {
  if (!mkdtemp(folder) || chdir(folder) != 0) return 2;
  int server = serve("open", SOCK_STREAM, 4000), receiver = serve("datagrams", SOCK_DGRAM, 0);
  once_connected(server);
  places();
  datagrams(receiver);
  queue_is_full();
  crowd();
  tidy_up();
  fflush(stdout);
  _exit(0);
}
