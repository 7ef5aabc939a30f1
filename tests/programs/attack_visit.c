// SPDX-License-Identifier: Apache-2.0
/*
 * attack_visit inside SOCKET: as root in a run that is locked into its namespaces. Makes a decided call, then takes
 * descriptors of network namespaces over SOCKET and tries to enter each. One line each: "entered" or "refused ERRNO".
 *
 * attack_visit WAY SOCKET: the accomplice outside, as root. It makes a network namespace after that call, sits in it, and
 * is to be taken for a task of the run, by
 *
 *   outside    nothing: to compare
 *   orphan     entering the pid namespace of the run and being orphaned there, with a seccomp filter of its own
 *   child      being a child of holdfast's process from before it was holdfast's, with a seccomp filter of its own
 *   grandchild the same, being orphaned by such a child
 */
#include "attack.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

static int unix_socket(const char* path, struct sockaddr_un* address) {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
  if (fd < 0) broken("socket");
  return fd;
}

static int inside(const char* path) {
  struct sockaddr_un address;
  int listener = unix_socket(path, &address);
  char byte;
  int fd, peer;
  raw(SYS_setns, open("/proc/self/ns/uts", O_RDONLY), 0, 0, 0, 0);
  unlink(path);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1) != 0)
    broken("listen");
  peer = accept(listener, NULL, NULL);
  while (receive_fds(peer, &byte, 1, &fd, 1) > 0) {
    uint64_t before = ns_of_self(ns_net);
    long result = raw(SYS_setns, fd, CLONE_NEWNET, 0, 0, 0);
    if (result != 0)
      printf("refused %s\n", strerrorname_np((int)-result));
    else
      puts(ns_of_self(ns_net) == before ? "stayed" : "entered");
    fflush(stdout);
    close(fd);
    if (write(peer, "a", 1) != 1) broken("answer");
  }
  return 0;
}

static void send_fd(int socket_fd, int fd) {
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {.space = {0}};
  struct iovec iov = {"n", 1};
  struct msghdr message = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(socket_fd, &message, 0) < 0) broken("send a namespace");
}

static void install_filter(void) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    broken("seccomp");
}

/* Sits where it is until its parent, or the namespace that it is in, is gone. */
_Noreturn static void sit(int ready_fd, pid_t not_parent) {
  while (getppid() == not_parent) usleep(1000);
  install_filter();
  if (write(ready_fd, "r", 1) != 1) broken("ready");
  close(STDOUT_FILENO); /* who reads the accomplice's output does not wait for this */
  close(STDERR_FILENO);
  sleep(3);
  _exit(0);
}

static void orphan(int ready_fd) {
  pid_t middle = fork();
  if (middle == 0) {
    pid_t own = getpid();
    if (fork() == 0) sit(ready_fd, own);
    _exit(0);
  }
  waitpid(middle, NULL, 0);
}

int main(int argc, char** argv) {
  struct sockaddr_un address;
  char byte, text[64];
  int ready[2];
  if (argc != 3) return exit_usage;
  if (strcmp(argv[1], "inside") == 0) return inside(argv[2]);
  const char* way = argv[1];
  int peer = unix_socket(argv[2], &address);
  for (int i = 0; connect(peer, (struct sockaddr*)&address, sizeof address) != 0; i++) {
    if (i > 2000) broken("connect");
    usleep(10000);
  }
  struct ucred member = {0};
  socklen_t length = sizeof member;
  if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &member, &length) != 0) broken("SO_PEERCRED");
  if (unshare(CLONE_NEWNET) != 0 || pipe(ready) != 0) broken("unshare");
  int own = open("/proc/self/ns/net", O_RDONLY);
  if (strcmp(way, "child") == 0) install_filter();
  if (strcmp(way, "grandchild") == 0) orphan(ready[1]);
  if (strcmp(way, "orphan") == 0) {
    snprintf(text, sizeof text, "/proc/%d/ns/pid", member.pid);
    if (setns(open(text, O_RDONLY), CLONE_NEWPID) != 0) broken("enter the pid namespace");
    orphan(ready[1]);
  }
  if ((strcmp(way, "grandchild") == 0 || strcmp(way, "orphan") == 0) &&
      read(ready[0], &byte, 1) != 1)
    broken("orphan");
  send_fd(peer, own);
  return read(peer, &byte, 1) == 1 ? 0 : exit_usage;
}
