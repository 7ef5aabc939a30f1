// SPDX-License-Identifier: Apache-2.0
/*
 * The program of a container, or one that is executed in it, which tries to get out of its rules.
 * Each argument is an attempt and prints a line "ATTEMPT: ok" or "ATTEMPT: ERRNO":
 *
 *   net, cgroup        unshare() of that type
 *   fork:TYPE          the same by a child that executes nothing
 *   vfork:TYPE         and by one that shares the memory
 *   thread:TYPE        and by a thread
 *   exec:TYPE          and by this program, executed anew
 *   setns:PATH         enters a namespace by its file
 *   fd:NUMBER          and by a descriptor that came along
 *   trace:PID          attaches to a task
 *   memory:PID         opens the memory of a task for writing
 *   say:WORD           prints the word alone
 *   touch:PATH, wait:PATH  makes a file, waits for one (a minute)
 *   stay               sleeps for ever
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int flag_of(const char* type) {
  if (!strcmp(type, "net")) return CLONE_NEWNET;
  if (!strcmp(type, "cgroup")) return CLONE_NEWCGROUP;
  if (!strcmp(type, "uts")) return CLONE_NEWUTS;
  exit(2);
}

/* The errno, or 0. */
static int make(const char* type) { return unshare(flag_of(type)) ? errno : 0; }

static void* make_in_thread(void* type) { return (void*)(long)make(type); }

static int enter(int fd) { return fd < 0 || setns(fd, 0) ? errno : 0; }

static int in_child(pid_t child) {
  int status = 0;
  if (child < 0) return errno;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int by_fork(const char* type) {
  const pid_t child = fork();
  if (child == 0) _exit(make(type));
  return in_child(child);
}

static int by_vfork(const char* type) {
  const pid_t child = vfork();
  if (child == 0) _exit(make(type));
  return in_child(child);
}

static int by_thread(const char* type) {
  pthread_t thread;
  void* result = NULL;
  pthread_create(&thread, NULL, make_in_thread, (void*)type);
  pthread_join(thread, &result);
  return (int)(long)result;
}

static int by_exec(const char* type) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "attack_container", "--status", type, (char*)NULL);
    _exit(errno);
  }
  return in_child(child);
}

static int trace(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0)) return errno;
  return 0;
}

static int open_memory(const char* pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%s/mem", pid);
  const int fd = open(path, O_RDWR);
  return fd < 0 ? errno : 0;
}

static int wait_for(const char* path) {
  for (int i = 0; i < 600; i++) {
    if (!access(path, F_OK)) return 0;
    usleep(100000);
  }
  return ETIMEDOUT;
}

static int attempt(char* word) {
  char* colon = strchr(word, ':');
  const size_t length = colon ? (size_t)(colon - word) : strlen(word);
  const char* argument = colon ? colon + 1 : "";
#define IS(name) (length == strlen(name) && !strncmp(word, name, length))
  if (IS("fork")) return by_fork(argument);
  if (IS("vfork")) return by_vfork(argument);
  if (IS("thread")) return by_thread(argument);
  if (IS("exec")) return by_exec(argument);
  if (IS("setns")) return enter(open(argument, O_RDONLY));
  if (IS("fd")) return enter(atoi(argument));
  if (IS("trace")) return trace(atoi(argument));
  if (IS("memory")) return open_memory(argument);
  if (IS("touch")) return open(argument, O_CREAT | O_WRONLY, 0666) < 0 ? errno : 0;
  if (IS("wait")) return wait_for(argument);
  return make(word);
}

int main(int argc, char** argv) {
  if (argc == 3 && !strcmp(argv[1], "--status")) return make(argv[2]);
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "stay"))
      for (;;) pause();
    if (!strncmp(argv[i], "say:", 4)) {
      puts(argv[i] + 4);
    } else {
      const int error = attempt(argv[i]);
      printf("%s: %s\n", argv[i], error ? strerrorname_np(error) : "ok");
    }
    fflush(stdout);
  }
  return 0;
}
