// SPDX-License-Identifier: Apache-2.0
/*
 * attack_outside [OPTION]... -- CMD...: runs CMD beside two tasks that stay outside of whatever CMD
 * does to itself, and serves what an attacker might talk an accomplice outside into (see attack.h).
 *
 *   --unshare T,...   CMD starts in new namespaces of these types: the bare run of an attack
 *   --cgroup DIR      CMD starts in this cgroup, and makes the namespaces of --unshare there
 *   --hold CMD        a shell command that is run outside once CMD's process has its namespaces,
 *                     with that process in HF_CMD_PID, as runtimes run a hook; CMD starts after it
 *   --userns          first make a user namespace with all else in it: a "host" that an ordinary
 *                     user has every right in
 *   --visit CMD       a shell command run outside when CMD asks for a visitor; HF_MEMBER_PID is the
 * asker
 *
 * Exits as CMD did; 128 + N if signal N ended it.
 */
#include "attack.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) broken(path);
  close(fd);
}

/* New namespaces; in a new user namespace the caller is root. */
static void unshare_as_root(int flags) {
  char map[64];
  unsigned uid = geteuid(), gid = getegid();
  if (unshare(flags) != 0) broken("unshare");
  if (!(flags & CLONE_NEWUSER)) return;
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %u 1", uid);
  write_file("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "0 %u 1", gid);
  write_file("/proc/self/gid_map", map);
}

/* A user namespace, and the other types that need no fork in it. */
static void enter_own_world(void) {
  unshare_as_root(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                  CLONE_NEWCGROUP);
}

static int open_ns(const char* pid, int type) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, ns_name[type]);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static void keep_at(int from, int to) {
  if (from < 0 || dup2(from, to) != to) broken("outside descriptor");
  close(from);
}

static void set_number(const char* name, uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  setenv(name, text, 1);
}

static void publish(const char* who, const char* pid, int first_fd) {
  for (int i = 0; i < NS_COUNT; i++) {
    char name[32];
    snprintf(name, sizeof name, "HF_%s_%s", who, ns_name[i]);
    keep_at(open_ns(pid, i), first_fd + i);
    set_number(name, ns_of_fd(first_fd + i));
  }
}

/* A task that does nothing, in the caller's namespaces or in ones of its own. */
static pid_t park(enum place place) {
  int ready[2];
  char byte = 0;
  if (pipe2(ready, O_CLOEXEC) != 0) broken("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (place == place_foreign) {
      int all = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
      if (unshare(CLONE_NEWUSER) != 0 || unshare(all) != 0) _exit(1);
    }
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) broken("park");
  close(ready[0]);
  return pid;
}

static void send_fds(int to, const int* fds, int count) {
  union {
    char space[CMSG_SPACE(sizeof(int) * 16)];
    struct cmsghdr align;
  } control = {0};
  struct iovec iov = {"", 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
  }
  sendmsg(to, &message, MSG_NOSIGNAL);
}

/* Makes UTS namespaces until one has this inode number. Returns a descriptor, or -1. */
static int make_with_number(uint64_t wanted) {
  int home = open_ns("self", ns_uts), found = -1;
  int held[512];
  int count = 0;
  while (found < 0 && count < 512) {
    if (unshare(CLONE_NEWUTS) != 0) break;
    held[count] = open_ns("self", ns_uts);
    if (ns_of_fd(held[count]) == wanted)
      found = held[count];
    else
      count++; /* kept open: the lowest free number is given out next */
  }
  while (count > 0) close(held[--count]);
  if (setns(home, CLONE_NEWUTS) != 0) broken("setns home");
  close(home);
  return found;
}

enum { most_visits = 64 };
static const char* visit_commands[most_visits];
static int visit_count, visits_done;

static void run_visitor(pid_t member) {
  int status = 0;
  const char* command = visits_done < visit_count ? visit_commands[visits_done++] : "exit 1";
  pid_t pid = fork();
  if (pid == 0) {
    set_number("HF_MEMBER_PID", (uint64_t)member);
    execl("/bin/sh", "sh", "-c", command, (char*)NULL);
    _exit(127);
  }
  waitpid(pid, &status, 0);
}

static void serve(int client, pid_t cmd) {
  char packet[64];
  ssize_t got = recv(client, packet, sizeof packet, 0);
  if (got < 1) return;
  if (packet[0] == ask_fds) {
    int fds[NS_COUNT];
    for (int i = 0; i < NS_COUNT; i++) fds[i] = host_fd + i;
    send_fds(client, fds, NS_COUNT);
  } else if (packet[0] == ask_reuse && got >= 9) {
    uint64_t wanted;
    memcpy(&wanted, packet + 1, sizeof wanted);
    int fd = make_with_number(wanted);
    send_fds(client, &fd, fd < 0 ? 0 : 1);
    if (fd >= 0) close(fd);
  } else if (packet[0] == ask_visit) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    run_visitor(peer.pid);
    send_fds(client, NULL, 0);
  } else if (packet[0] == ask_kill) {
    kill(cmd, SIGKILL);
    send_fds(client, NULL, 0);
  }
}

static int listen_at(char* folder, struct sockaddr_un* address) {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (!mkdtemp(folder) || chmod(folder, 0755) != 0) broken("mkdtemp");
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path, sizeof address->sun_path, "%s/socket", folder);
  if (fd < 0 || bind(fd, (struct sockaddr*)address, sizeof *address) != 0 || listen(fd, 8) != 0)
    broken("listen");
  chmod(address->sun_path, 0777);
  setenv("HF_OUTSIDE_SOCKET", address->sun_path, 1);
  return fd;
}

/* A process outside that waits to be told a process, then runs `command` for it. It closes `done`
   without a word if the command fails. */
static void start_hook(const char* command, int told[2], int done[2]) {
  if (pipe2(told, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0) broken("pipe");
  if (fork() == 0) {
    pid_t member;
    char byte = 0;
    int status;
    close(told[1]);
    close(done[0]);
    if (read(told[0], &member, sizeof member) != sizeof member) _exit(1);
    pid_t pid = fork();
    if (pid == 0) {
      set_number("HF_CMD_PID", (uint64_t)member);
      execl("/bin/sh", "sh", "-c", command, (char*)NULL);
      _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) _exit(1);
    _exit(write(done[1], &byte, 1) != 1);
  }
  close(told[0]);
  close(done[1]);
}

static pid_t start(char** cmd, const char* cgroup, const char* hook, int flags) {
  int told[2] = {-1, -1}, done[2] = {-1, -1};
  char byte;
  pid_t pid = fork();
  if (pid != 0) return pid;
  if (hook) start_hook(hook, told, done);
  if (cgroup) {
    char procs[256];
    snprintf(procs, sizeof procs, "%s/cgroup.procs", cgroup);
    write_file(procs, "0");
  }
  if (flags) unshare_as_root(flags);
  if (flags & (CLONE_NEWPID | CLONE_NEWTIME)) {
    int status;
    pid = fork();
    if (pid > 0) {
      if (hook && write(told[1], &pid, sizeof pid) != sizeof pid) broken("hook");
      close(told[1]);
      waitpid(pid, &status, 0);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
  }
  if (hook) {
    pid = getpid();
    if (!(flags & (CLONE_NEWPID | CLONE_NEWTIME)) && write(told[1], &pid, sizeof pid) != sizeof pid)
      broken("hook");
    close(told[1]);
    if (read(done[0], &byte, 1) != 1) broken("hook");
  }
  set_number("HF_CMD_PID", (uint64_t)getpid());
  execvp(cmd[0], cmd);
  broken(cmd[0]);
}

/* Serves until CMD has ended. Returns its wait status. */
static int serve_until_end(int listener, pid_t cmd) {
  int status = 0;
  for (;;) {
    struct pollfd at = {.fd = listener, .events = POLLIN};
    int ready = poll(&at, 1, 20);
    if (ready > 0) {
      int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
      if (client >= 0) serve(client, cmd);
      if (client >= 0) close(client);
    }
    if (waitpid(cmd, &status, WNOHANG) == cmd) return status;
  }
}

/* The descriptors of the world outside, and what it is called in CMD's environment. */
static void prepare(pid_t* outside, pid_t* foreign) {
  char pid[16];
  *outside = park(place_host);
  *foreign = park(place_foreign);
  snprintf(pid, sizeof pid, "%d", *outside);
  setenv("HF_OUTSIDE_PID", pid, 1);
  publish("HOST", pid, host_fd);
  snprintf(pid, sizeof pid, "%d", *foreign);
  setenv("HF_FOREIGN_PID", pid, 1);
  publish("FOREIGN", pid, foreign_fd);
  keep_at((int)syscall(SYS_pidfd_open, *outside, 0), host_pidfd);
  keep_at((int)syscall(SYS_pidfd_open, *foreign, 0), foreign_pidfd);
  keep_at(socket(AF_INET, SOCK_DGRAM, 0), host_socket_fd);
}

int main(int argc, char** argv) {
  int flags = 0, at = 1;
  const char *cgroup = NULL, *hook = NULL;
  pid_t outside, foreign;
  for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
    if (strcmp(argv[at], "--userns") == 0)
      enter_own_world();
    else if (strcmp(argv[at], "--unshare") == 0 && at + 1 < argc)
      flags = flags_of(argv[++at]);
    else if (strcmp(argv[at], "--cgroup") == 0 && at + 1 < argc)
      cgroup = argv[++at];
    else if (strcmp(argv[at], "--hold") == 0 && at + 1 < argc)
      hook = argv[++at];
    else if (strcmp(argv[at], "--visit") == 0 && at + 1 < argc && visit_count < most_visits)
      visit_commands[visit_count++] = argv[++at];
    else
      break;
  }
  if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
    fprintf(stderr,
            "usage: attack_outside [--unshare T,...] [--cgroup DIR] [--hold CMD] [--userns] "
            "[--visit CMD] -- CMD...\n");
    return exit_usage;
  }
  char folder[] = "/tmp/attack.XXXXXX";
  struct sockaddr_un address = {0};
  int listener = listen_at(folder, &address);
  prepare(&outside, &foreign);
  int status = serve_until_end(listener, start(argv + at + 1, cgroup, hook, flags));
  kill(outside, SIGKILL);
  kill(foreign, SIGKILL);
  unlink(address.sun_path);
  rmdir(folder);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
