// SPDX-License-Identifier: Apache-2.0
/*
 * conform_act STEP...: makes the operations of a conformance case, one after the other, and prints
 * the result of each on a line: 0 or the name of an errno. A step:
 *
 *   setns:TYPE:WHERE       setns() with a descriptor of the namespace
 *   pidfd:TYPE,...:WHERE   setns() with a pidfd and several types
 *   unshare:TYPE,...       clone:TYPE,...       clone3:TYPE,...
 *   trace:WHERE            PTRACE_SEIZE
 *   make:TYPE              a child makes a namespace and waits in it: WHERE "made"
 *   spawn                  a child that waits: WHERE "made"
 *   park                   waits while a visitor is at work
 *
 * WHERE: host, foreign (see attack.h), self, made, member (the task that a visitor visits). The
 * prefix fork+ makes a step in a child that is gone afterwards, thread+ in a thread.
 */
#include "attack.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

static pid_t made;

static void say(long value) {
  printf("%s\n", value >= 0 ? "0" : strerrorname_np((int)-value));
  fflush(stdout);
}

static pid_t pid_at(const char* where) {
  const char* pid = NULL;
  if (strcmp(where, "self") == 0) return getpid();
  if (strcmp(where, "made") == 0) return made;
  if (strcmp(where, "host") == 0) pid = getenv("HF_OUTSIDE_PID");
  if (strcmp(where, "foreign") == 0) pid = getenv("HF_FOREIGN_PID");
  if (strcmp(where, "member") == 0) pid = getenv("HF_MEMBER_PID");
  return pid ? atoi(pid) : 0;
}

static int fd_at(const char* where, int type) {
  char path[64];
  if (strcmp(where, "host") == 0) return outside_ns_fd(place_host, type);
  if (strcmp(where, "foreign") == 0) return outside_ns_fd(place_foreign, type);
  if (strcmp(where, "self") == 0)
    snprintf(path, sizeof path, "/proc/thread-self/ns/%s", ns_name[type]);
  else
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid_at(where), ns_name[type]);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static int pidfd_at(const char* where) {
  if (strcmp(where, "host") == 0) return host_pidfd;
  if (strcmp(where, "foreign") == 0) return foreign_pidfd;
  return (int)syscall(SYS_pidfd_open, pid_at(where), 0);
}

static long born(long pid) {
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, __WALL);
  return pid;
}

static long clone3_with(int flags) {
  struct clone_args args = {.flags = (uint64_t)(unsigned)flags, .exit_signal = SIGCHLD};
  return born(raw(SYS_clone3, (long)&args, sizeof args, 0, 0, 0));
}

/* flags 0: the child stays where it is. */
static long spawn(int flags) {
  int ready[2];
  long value = -1;
  if (pipe2(ready, O_CLOEXEC) != 0) broken("pipe");
  made = fork();
  if (made == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    value = flags ? raw(SYS_unshare, flags, 0, 0, 0, 0) : 0;
    if (write(ready[1], &value, sizeof value) < 0 || value < 0) _exit(0);
    for (;;) pause();
  }
  close(ready[1]);
  if (read(ready[0], &value, sizeof value) != sizeof value) broken("spawn");
  close(ready[0]);
  return value;
}

static long park(void) {
  char byte = ask_visit;
  int to = ask_connect();
  if (send(to, &byte, 1, 0) != 1 || recv(to, &byte, 1, 0) != 1) return -errno;
  close(to);
  return 0;
}

static long trace(const char* where) {
  pid_t pid = pid_at(where);
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return -errno;
  return 0;
}

static long step(char* text) {
  char* words[3] = {"", "", ""};
  int count = 0;
  for (char* word = strtok(text, ":"); word && count < 3; word = strtok(NULL, ":"))
    words[count++] = word;
  const char* what = words[0];
  if (strcmp(what, "park") == 0) return park();
  if (strcmp(what, "spawn") == 0) return spawn(0);
  if (strcmp(what, "trace") == 0) return trace(words[1]);
  if (strcmp(what, "setns") == 0) {
    int type = type_of(words[1]);
    return raw(SYS_setns, fd_at(words[2], type), ns_flag[type], 0, 0, 0);
  }
  int flags = flags_of(words[1]);
  if (strcmp(what, "pidfd") == 0) return raw(SYS_setns, pidfd_at(words[2]), flags, 0, 0, 0);
  if (strcmp(what, "unshare") == 0) return raw(SYS_unshare, flags, 0, 0, 0, 0);
  if (strcmp(what, "clone") == 0) return born(raw(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
  if (strcmp(what, "clone3") == 0) return clone3_with(flags);
  if (strcmp(what, "make") == 0) return spawn(flags);
  errno = EINVAL;
  broken(what);
}

static void* step_in_thread(void* text) { return (void*)step(text); }

static long run(char* text) {
  if (strncmp(text, "fork+", 5) == 0) {
    struct shared_result* result = new_shared_result();
    pid_t pid = fork();
    if (pid == 0) {
      result->result = step(text + 5);
      _exit(0);
    }
    waitpid(pid, NULL, 0);
    return result->result;
  }
  if (strncmp(text, "thread+", 7) == 0) {
    pthread_t thread;
    void* value = NULL;
    if (pthread_create(&thread, NULL, step_in_thread, text + 7) != 0) broken("thread");
    pthread_join(thread, &value);
    return (long)value;
  }
  return step(text);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) say(run(argv[i]));
  if (made > 0) kill(made, SIGKILL);
  return 0;
}
