// SPDX-License-Identifier: Apache-2.0
/*
 * kernel_cost: nanoseconds of guest time for one call of each kind, the cheapest of several
 * batches. Under `tools/vm --icount` 2 ns are one instruction, and the figures are the same in
 * every run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { batches = 15, calls = 40 };

static int uts_fd, udp_fd;
static struct sockaddr_in loopback;

static void must(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void do_getppid(void) { (void)getppid(); }
static void do_setns(void) { must(setns(uts_fd, CLONE_NEWUTS) == 0, "setns"); }
static void do_unshare(void) { must(unshare(CLONE_NEWUTS) == 0, "unshare"); }
/* The parent waits until the child has ended: who of the two runs first would else be the scheduler's choice,
 * and with it how many pages are copied. */
static void do_fork(void) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
}
static void do_stat(void) {
  struct stat st;
  must(stat("/tmp/a/b/c/f", &st) == 0, "stat");
}
static void do_open(void) {
  int fd = open("/tmp/a/b/c/f", O_RDONLY);
  must(fd >= 0, "open");
  close(fd);
}
static void do_connect(void) {
  must(connect(udp_fd, (struct sockaddr*)&loopback, sizeof loopback) == 0, "connect");
}

static const struct {
  const char* name;
  void (*call)(void);
} kinds[] = {
    {"getppid", do_getppid}, {"stat", do_stat},   {"open", do_open},       {"connect", do_connect},
    {"fork", do_fork},       {"setns", do_setns}, {"unshare", do_unshare},
};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t cheapest(void (*call)(void)) {
  uint64_t best = UINT64_MAX;
  for (int batch = 0; batch < batches; batch++) {
    uint64_t start = now_ns();
    for (int i = 0; i < calls; i++) call();
    uint64_t cost = (now_ns() - start) / calls;
    if (cost < best) best = cost;
  }
  return best;
}

static void prepare(void) {
  mkdir("/tmp/a", 0755);
  mkdir("/tmp/a/b", 0755);
  mkdir("/tmp/a/b/c", 0755);
  close(open("/tmp/a/b/c/f", O_CREAT | O_WRONLY, 0644));
  uts_fd = open("/proc/self/ns/uts", O_RDONLY);
  udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(9);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(uts_fd >= 0 && udp_fd >= 0, "prepare");
}

int main(void) {
  prepare();
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    printf("%s %llu\n", kinds[i].name, (unsigned long long)cheapest(kinds[i].call));
  return 0;
}
