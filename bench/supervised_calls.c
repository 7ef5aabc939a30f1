// SPDX-License-Identifier: Apache-2.0
//
// The time of one system call that the supervisor backend decides or makes:
//
//   supervised_calls CALL [ROUNDS]          in this process; also under `holdfast run`
//   supervised_calls CALL ROUNDS floor      notified, and answered with CONTINUE at once
//
// Prints nanoseconds of one call, the median of batches. CALL is one of:
//   setns      into the uts namespace that the process is in
//   unshare    of a uts namespace, refused or not
//   connect    of an internet datagram socket
//   path       of a unix datagram socket, to a path
//   accept     of a connection that waits
//   send       of a byte, by a datagram socket
//   write      of a byte, to /dev/null
//   getxattr   of a file, by its path
//   fgetxattr  of a file, by a descriptor
// The sockets of `connect`, `path` and `send` have the label user.bench "other", and one more socket
// has "denied", so a rule about "denied" has to look at them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "notify.h"

enum { kDefaultRounds = 4000, kBatches = 20 };

static struct sockaddr_in internet;
static struct sockaddr_un path;
static int fd = -1, listening = -1, namespace_fd = -1;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int datagram_socket(void) {
  const int one = socket(AF_INET, SOCK_DGRAM, 0);
  if (one < 0) fail("socket");
  return one;
}

// Sockets keep no labels where the kernel keeps none and nobody emulates them.
static void label(int of, const char* value) {
  (void)fsetxattr(of, "user.bench", value, strlen(value), 0);
}

static int listen_at_loopback(int type) {
  const int one = socket(AF_INET, type, 0);
  socklen_t length = sizeof internet;
  internet.sin_family = AF_INET;
  internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(one, (void*)&internet, sizeof internet) != 0 ||
      getsockname(one, (void*)&internet, &length) != 0)
    fail("bind");
  return one;
}

// Returns the number of the call.
static int prepare(const char* call) {
  if (strcmp(call, "unshare") == 0) return SYS_unshare;
  if (strcmp(call, "setns") == 0) {
    namespace_fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    return SYS_setns;
  }
  if (strcmp(call, "connect") == 0 || strcmp(call, "send") == 0) {
    label(listen_at_loopback(SOCK_DGRAM), "denied");
    fd = datagram_socket();
    label(fd, "other");
    if (connect(fd, (void*)&internet, sizeof internet) != 0) fail("connect");
    return call[0] == 'c' ? SYS_connect : SYS_sendto;
  }
  if (strcmp(call, "path") == 0) {
    path.sun_family = AF_UNIX;
    snprintf(path.sun_path, sizeof path.sun_path, "/tmp/supervised_calls.%d", (int)getpid());
    const int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (bind(server, (void*)&path, sizeof path) != 0) fail("bind");
    label(server, "other");
    label(socket(AF_UNIX, SOCK_DGRAM, 0), "denied");
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return SYS_connect;
  }
  if (strcmp(call, "accept") == 0) {
    listening = listen_at_loopback(SOCK_STREAM);
    if (listen(listening, 8) != 0) fail("listen");
    return SYS_accept;
  }
  fd = open(call[0] == 'w' ? "/dev/null" : "/etc/passwd", call[0] == 'w' ? O_WRONLY : O_RDONLY);
  if (strcmp(call, "write") == 0) return SYS_write;
  if (strcmp(call, "getxattr") == 0) return SYS_getxattr;
  if (strcmp(call, "fgetxattr") == 0) return SYS_fgetxattr;
  fail("no such call");
  return -1;
}

static double accept_one_ns(void) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client, (void*)&internet, sizeof internet) != 0) fail("connect");
  const double begin = now_ns();
  const int got = accept(listening, NULL, NULL);
  const double took = now_ns() - begin;
  if (got < 0) fail("accept");
  // A reset: no port stays in use for the next minute.
  const struct linger reset = {1, 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(client);
  close(got);
  return took;
}

static double one_call_ns(int number, const char* call) {
  char value[64];
  if (number == SYS_accept) return accept_one_ns();
  const double begin = now_ns();
  switch (number) {
    case SYS_unshare:
      (void)unshare(CLONE_NEWUTS);
      break;
    case SYS_setns:
      (void)setns(namespace_fd, CLONE_NEWUTS);
      break;
    case SYS_connect:
      if (connect(fd, call[0] == 'c' ? (void*)&internet : (void*)&path,
                  call[0] == 'c' ? sizeof internet : sizeof path) != 0)
        fail("connect");
      break;
    case SYS_sendto:
      (void)send(fd, "x", 1, 0);
      break;
    case SYS_write:
      (void)!write(fd, "x", 1);
      break;
    case SYS_getxattr:
      (void)getxattr("/etc/passwd", "user.bench", value, sizeof value);
      break;
    default:
      (void)fgetxattr(fd, "user.bench", value, sizeof value);
  }
  return now_ns() - begin;
}

static int less(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double median_ns(int number, const char* call, int rounds) {
  static double batch[kBatches];
  const int each = rounds / kBatches > 0 ? rounds / kBatches : 1;
  for (int i = 0; i < kBatches; i++) {
    batch[i] = 0;
    for (int j = 0; j < each; j++) batch[i] += one_call_ns(number, call);
    batch[i] /= each;
  }
  qsort(batch, kBatches, sizeof batch[0], less);
  return batch[kBatches / 2];
}

// The floor: receives, and lets the kernel continue. The child makes no call that is stopped.
static pid_t answer_all(int listener) {
  const pid_t child = fork();
  if (child != 0) return child;
  const unsigned long set_flags = SECCOMP_IOW(4, __u64);  // Linux 6.6
  (void)ioctl(listener, set_flags, 1ul /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP */);
  notify_answer_all(listener);
}

int main(int argc, char** argv) {
  const char* call = argc > 1 ? argv[1] : "setns";
  const int rounds = argc > 2 ? atoi(argv[2]) : kDefaultRounds;
  const int number = prepare(call);
  pid_t answering = 0;
  if (argc > 3) {
    const int listener = notify_install(number);
    if (listener < 0) fail("seccomp");
    answering = answer_all(listener);
    if (number == SYS_write) close(listener);
  }
  const double took = median_ns(number, call, rounds);
  if (path.sun_path[0] != '\0') unlink(path.sun_path);
  // Printed by a call that the floor may stop, so its answers have to be there.
  printf("%.0f\n", took);
  fflush(stdout);
  if (answering > 0) {
    kill(answering, SIGKILL);
    waitpid(answering, NULL, 0);
  }
  return 0;
}
