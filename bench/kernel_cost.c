// SPDX-License-Identifier: Apache-2.0
/*
 * kernel_cost [-c CGROUP] KIND...: nanoseconds of guest time for one call of each kind, the
 * cheapest of several batches. "move" goes between two cgroups below CGROUP, "pass" is a datagram
 * to the other end of a pair, and its receipt. Under `tools/vm
 * --icount` 2 ns are one instruction, and the figures are the same in every run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { batches = 15, calls = 40 };

static int uts_fd, udp_fd, send_fd, pair_fd[2], file_fd, procs_fd[2];
static struct sockaddr_in loopback;

static void must(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void do_getppid(void) { (void)getppid(); }
static void do_setns(void) { must(setns(uts_fd, CLONE_NEWUTS) == 0, "setns"); }
static void do_unshare(void) { must(unshare(CLONE_NEWUTS) == 0, "unshare"); }
/* The parent waits until the child has ended: who of the two runs first would else be the
 * scheduler's choice, and with it how many pages are copied. */
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

/* To a socket that nobody reads, which drops what it has no room for. */
static void do_send(void) { must(send(send_fd, "x", 1, 0) == 1, "send"); }
/* To the other end of a pair, which reads. */
static void do_pass(void) {
  char byte;
  must(send(pair_fd[0], "x", 1, 0) == 1 && recv(pair_fd[1], &byte, 1, 0) == 1, "pass");
}

static void do_read(void) {
  char byte;
  must(pread(file_fd, &byte, 1, 0) == 1, "read");
}
static void do_exec(void) {
  static char* const command[] = {"kernel_cost", NULL};
  pid_t pid = vfork();
  if (pid == 0) {
    execv("/proc/self/exe", command);
    _exit(1);
  }
  int status = 1;
  must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "exec");
}
static void do_move(void) {
  static int next;
  must(pwrite(procs_fd[next], "0", 1, 0) == 1, "move");
  next = !next;
}

static const struct {
  const char* name;
  void (*call)(void);
} kinds[] = {
    {"getppid", do_getppid}, {"stat", do_stat},   {"open", do_open},       {"connect", do_connect},
    {"fork", do_fork},       {"setns", do_setns}, {"unshare", do_unshare}, {"read", do_read},
    {"exec", do_exec},       {"move", do_move},   {"send", do_send},       {"pass", do_pass},
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

/* Labelled where the kernel, or a holdfast run, keeps labels. */
static void prepare_sockets(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int sink = socket(AF_INET, SOCK_DGRAM, 0);
  send_fd = socket(AF_INET, SOCK_DGRAM, 0);
  must(bind(sink, (struct sockaddr*)&address, length) == 0 &&
           getsockname(sink, (struct sockaddr*)&address, &length) == 0 &&
           connect(send_fd, (struct sockaddr*)&address, length) == 0 &&
           socketpair(AF_UNIX, SOCK_DGRAM, 0, pair_fd) == 0,
       "prepare sockets");
  for (size_t i = 0; i < 4; i++)
    (void)fsetxattr((const int[]){udp_fd, send_fd, pair_fd[0], pair_fd[1]}[i], "user.varlink",
                    "server", 6, 0);
}

static void prepare(void) {
  mkdir("/tmp/a", 0755);
  mkdir("/tmp/a/b", 0755);
  mkdir("/tmp/a/b/c", 0755);
  file_fd = open("/tmp/a/b/c/f", O_CREAT | O_RDWR, 0644);
  must(write(file_fd, "f", 1) == 1, "prepare");
  uts_fd = open("/proc/self/ns/uts", O_RDONLY);
  udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(9);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(uts_fd >= 0 && udp_fd >= 0, "prepare");
  prepare_sockets();
}

static void prepare_moves(const char* cgroup) {
  for (int i = 0; i < 2; i++) {
    char path[256];
    snprintf(path, sizeof path, "%s/%c", cgroup, 'a' + i);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%c/cgroup.procs", cgroup, 'a' + i);
    procs_fd[i] = open(path, O_WRONLY);
    must(procs_fd[i] >= 0, path);
  }
}

/* Without arguments it does nothing: that is what "exec" executes. */
int main(int argc, char** argv) {
  if (argc == 1) return 0;
  prepare();
  for (int option; (option = getopt(argc, argv, "c:")) == 'c';) prepare_moves(optarg);
  for (int arg = optind; arg < argc; arg++)
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
      if (strcmp(kinds[i].name, argv[arg]) == 0)
        printf("%s %llu\n", kinds[i].name, (unsigned long long)cheapest(kinds[i].call));
  return 0;
}
