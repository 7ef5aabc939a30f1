// SPDX-License-Identifier: Apache-2.0
/*
 * An ordinary user with many user ids against a Varlink server at a unix socket.
 *
 *     attack_control SOCKET SECONDS MODE   attacks; started as root, it connects under another id
 *                                          of 65,536 each time, as the owner of a user namespace
 *                                          with as many subordinate ids may
 *     attack_control FILE SECONDS refused PID   writes PID to FILE, as a process with another name
 *                                          each time, and says how often
 *     attack_control watch SECONDS COMMAND...   runs COMMAND over and over, and says the longest
 * time that it took in ms, how often it ran, how often it failed
 *
 * Modes: hold     idle connections, more than the queue of the listener takes
 *        oneway   pipelined calls that want no answer, of Metrics, Status and Labels
 *        unread   pipelined calls whose answers are never read
 *        half     messages without an end
 *        large    a message of as many megabytes as are taken
 *        churn    connects and closes
 *        monitor  calls of Monitor, with "more"
 *        linger   a TCP socket that takes an hour to close, with a byte or out of band, read or not
 *        labels   calls about a socket that comes along
 *        busy     none of it: as much load without a word to the server
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "full_socket.h"

enum { kWorkers = 2, kAtOnce = 200, kFirstId = 100000, kIds = 65536, kBytes = 1 << 16 };

static const char* path;
static unsigned connected, calls, begun;
static double end;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

/* -1: not now. */
static int connect_as_another(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  if (seteuid(kFirstId + begun++ % kIds)) fail("seteuid");
  int failed = connect(fd, (struct sockaddr*)&address, sizeof(address));
  if (seteuid(0)) fail("seteuid 0");
  if (failed) {
    close(fd);
    return -1;
  }
  connected++;
  return fd;
}

/* With `fd`, unless that is negative. */
static ssize_t send_to(int to, const char* bytes, size_t size, int fd, int flags) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec data = {(char*)bytes, size};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (fd >= 0) {
    struct cmsghdr* part = &control.align;
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &fd, sizeof(int));
  }
  return sendmsg(to, &message, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
}

static char stream[2 * kBytes];
static size_t streamed; /* bytes of `stream`, whole messages */

static void fill_stream(const char* const* methods, const char* more) {
  char one[200];
  for (unsigned i = 0;; i++) {
    if (!methods[i]) i = 0;
    int length =
        snprintf(one, sizeof(one), "{\"method\":\"io.holdfast.Control.%s\"%s}", methods[i], more) +
        1;
    if (streamed + (size_t)length > kBytes) return;
    memcpy(stream + streamed, one, (size_t)length);
    streamed += (size_t)length;
  }
}

static void attack(const char* mode) {
  static const char* const kAnybodys[] = {"Metrics", "Status", "Labels", NULL};
  static const char* const kMonitor[] = {"Monitor", NULL};
  static const char* const kLabels[] = {"Labels", NULL};
  static int fds[kAtOnce];
  static size_t at[kAtOnce];
  int with = -1;
  const int lingers = !strcmp(mode, "linger"), half = !strcmp(mode, "half");
  const int churns = !strcmp(mode, "churn"), holds = !strcmp(mode, "hold");
  const int labels = !strcmp(mode, "labels");
  if (!strcmp(mode, "oneway")) fill_stream(kAnybodys, ",\"oneway\":true");
  if (!strcmp(mode, "unread")) fill_stream(kAnybodys, "");
  if (!strcmp(mode, "monitor")) fill_stream(kMonitor, ",\"more\":true");
  if (labels) fill_stream(kLabels, "");
  if (half || !strcmp(mode, "large")) streamed = kBytes, memset(stream, '[', kBytes);
  if (labels) with = socket(AF_UNIX, SOCK_STREAM, 0);
  for (int i = 0; i < kAtOnce; i++) fds[i] = -1;
  while (now() < end) {
    int idle = 1;
    for (int i = 0; i < kAtOnce && now() < end; i++) {
      if (fds[i] < 0) {
        at[i] = 0;
        fds[i] = connect_as_another();
        if (fds[i] < 0) break; /* the queue is full */
        idle = 0;
        if (churns) close(fds[i]), fds[i] = -1;
        if (lingers) {
          with = full_socket();
          send_to(fds[i], "x", 1, with, i % 2 ? MSG_OOB : 0);
          close(with);
          if (i % 4 >= 2) close(fds[i]), fds[i] = -1;
        }
        continue;
      }
      char dropped;
      ssize_t got = recv(fds[i], &dropped, 1, MSG_DONTWAIT | MSG_PEEK);
      if (got == 0 || (got < 0 && errno != EAGAIN)) {
        close(fds[i]);
        fds[i] = -1;
        continue;
      }
      if (!streamed || (half && at[i] >= kBytes / 2)) continue;
      size_t most = half ? kBytes / 2 - at[i] : streamed - at[i] % streamed;
      if (labels) most = strlen(stream) + 1;
      ssize_t sent = send_to(fds[i], stream + at[i] % streamed, most, with, 0);
      if (sent <= 0) continue;
      idle = 0;
      at[i] += (size_t)sent;
      calls++;
    }
    if (idle && (holds || half || lingers)) usleep(20000);
    if (!strcmp(mode, "busy"))
      for (volatile int i = 0; i < 100000; i++) {
      }
  }
  printf("%s: %u connections, %u writes\n", mode, connected, calls);
}

static int watch(char** command) {
  unsigned runs = 0, failures = 0;
  double longest = 0;
  while (now() < end) {
    const double before = now();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      dup2(null, 2);
      alarm(60);
      execvp(command[0], command);
      _exit(127);
    }
    waitpid(child, &status, 0);
    if (status != 0) failures++;
    if (now() - before > longest) longest = now() - before;
    runs++;
  }
  printf("%.0f %u %u\n", longest * 1000, runs, failures);
  return 0;
}

static int refused(const char* pid) {
  unsigned count = 0;
  while (now() < end) {
    if (fork() == 0) {
      char name[16];
      snprintf(name, sizeof(name), "noise%u", count);
      prctl(PR_SET_NAME, name);
      int fd = open(path, O_WRONLY);
      _exit(write(fd, pid, strlen(pid)) > 0 ? 1 : 0);
    }
    int status = 0;
    wait(&status);
    if (status) fail("not refused");
    count++;
  }
  printf("%u\n", count);
  return 0;
}

int main(int argc, char** argv) {
  struct rlimit many = {4096, 4096};
  struct ifreq request = {.ifr_name = "lo"};
  if (argc < 4) return 2;
  end = now() + atof(argv[2]);
  if (!strcmp(argv[1], "watch")) return watch(argv + 3);
  path = argv[1];
  if (argc == 5) return refused(argv[4]);
  setrlimit(RLIMIT_NOFILE, &many);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ioctl(fd, SIOCGIFFLAGS, &request);
  request.ifr_flags |= IFF_UP;
  ioctl(fd, SIOCSIFFLAGS, &request);
  for (int i = 1; i < kWorkers; i++)
    if (fork() == 0) {
      begun = (unsigned)i * kIds / kWorkers;
      break;
    }
  attack(argv[3]);
  fflush(stdout);
  while (wait(NULL) > 0) {
  }
  return 0;
}
