// SPDX-License-Identifier: Apache-2.0
//
// A small service in a sandbox that tries to leave it, in every way there is. Run by examples/demo
// as
//
//   leave NET-FD MNT-FD PID
//
// with descriptors of namespaces outside, as a program may inherit or receive them by accident, and
// a process outside. Each attempt prints what it tried and the result. Exit status: the number of
// attempts that had to be refused and were not, plus those that had to work and did not.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum expectation { kRefused, kWorks };

static int wrong;
static int outside_net_fd;
static int outside_mnt_fd;
static pid_t outside_pid;
static const char *green = "", *red = "", *plain = "";

static void tell(const char* what, enum expectation expectation, int result, int error) {
  const int good = expectation == kRefused ? result != 0 : result == 0;
  if (!good) wrong++;
  printf("  %s%-3s%s %-34s %s\n", good ? green : red, good ? "ok" : "BAD", plain, what,
         result == 0 ? "worked" : strerror(error));
  fflush(stdout);
}

// Each attempt runs in a child, so that one that works does not spoil the next. The child's name is
// what the report of a refusal shows.
static void attempt(const char* name, const char* what, enum expectation expectation,
                    int (*act)(void)) {
  const pid_t child = fork();
  if (child < 0) {
    tell(what, kWorks, -1, errno);
    return;
  }
  if (child == 0) {
    prctl(PR_SET_NAME, name);
    _exit(act() == 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int error = WIFEXITED(status) ? WEXITSTATUS(status) : ENOTRECOVERABLE;
  tell(what, expectation, error == 0 ? 0 : -1, error);
}

static int setns_net(void) { return setns(outside_net_fd, CLONE_NEWNET); }
static int setns_mnt(void) { return setns(outside_mnt_fd, CLONE_NEWNS); }
static int setns_any_type(void) { return setns(outside_net_fd, 0); }

static int setns_pidfd(void) {
  const int pidfd = (int)syscall(SYS_pidfd_open, outside_pid, 0);
  return pidfd < 0 ? -1 : setns(pidfd, CLONE_NEWNET);
}

static int unshare_ipc(void) { return unshare(CLONE_NEWIPC); }
static int unshare_several(void) { return unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS); }

static int clone_raw(unsigned long flags) {
  const long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  if (child > 0) waitpid((pid_t)child, NULL, 0);
  return child > 0 ? 0 : -1;
}
static int clone_ipc(void) { return clone_raw(CLONE_NEWIPC); }

static int clone3_ipc(void) {
  struct clone_args arguments = {.flags = CLONE_NEWIPC, .exit_signal = SIGCHLD};
  const long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (child == 0) _exit(0);
  if (child > 0) waitpid((pid_t)child, NULL, 0);
  return child > 0 ? 0 : -1;
}

static void* leave_from_thread(void* result) {
  errno = 0;
  *(int*)result = setns(outside_net_fd, CLONE_NEWNET) == 0 ? 0 : errno;
  return NULL;
}

static int setns_thread(void) {
  pthread_t thread;
  int error = ENOTRECOVERABLE;
  if (pthread_create(&thread, NULL, leave_from_thread, &error) != 0) return -1;
  pthread_join(thread, NULL);
  errno = error;
  return error == 0 ? 0 : -1;
}

static int nsenter_helper(void) {
  char path[64];
  snprintf(path, sizeof(path), "--net=/proc/self/fd/%d", outside_net_fd);
  const pid_t child = fork();
  if (child == 0) {
    freopen("/dev/null", "w", stderr);
    execlp("nsenter", "nsenter", path, "true", (char*)NULL);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  errno = EPERM;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

// Its purpose: serve on its own network.
static int work(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server, (struct sockaddr*)&address, length) != 0 || listen(server, 1) != 0) return -1;
  getsockname(server, (struct sockaddr*)&address, &length);
  return connect(client, (struct sockaddr*)&address, length);
}

// With a user namespace of its own, so that it works for an ordinary user too.
static int nested_net(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNET); }

static int stay(void) {
  if (nested_net() != 0) return -1;
  const int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return own_fd < 0 ? -1 : setns(own_fd, CLONE_NEWNET);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: leave NET-FD MNT-FD PID\n");
    return 125;
  }
  outside_net_fd = atoi(argv[1]);
  outside_mnt_fd = atoi(argv[2]);
  outside_pid = atoi(argv[3]);
  if (isatty(STDOUT_FILENO)) {
    green = "\033[32m";
    red = "\033[31m";
    plain = "\033[0m";
  }
  attempt("by-fd", "setns to the network outside", kRefused, setns_net);
  attempt("by-fd-mounts", "setns to the mounts outside", kRefused, setns_mnt);
  attempt("by-fd-any-type", "setns that leaves the type open", kRefused, setns_any_type);
  attempt("by-pidfd", "setns to a process outside", kRefused, setns_pidfd);
  attempt("by-thread", "setns from a thread", kRefused, setns_thread);
  attempt("by-helper", "setns in a helper: nsenter", kRefused, nsenter_helper);
  attempt("by-unshare", "unshare of a type not listed", kRefused, unshare_ipc);
  attempt("by-unshare-many", "unshare of all it is in", kRefused, unshare_several);
  attempt("by-clone", "clone of a type not listed", kRefused, clone_ipc);
  attempt("by-clone3", "clone3 of the same", kRefused, clone3_ipc);
  attempt("working", "its work: serve on its network", kWorks, work);
  attempt("nesting", "unshare of a nested network", kWorks, nested_net);
  attempt("staying", "setns to its own network", kWorks, stay);
  return wrong;
}
