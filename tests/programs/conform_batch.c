// SPDX-License-Identifier: Apache-2.0
/*
 * conform_batch setns|unshare FILE: runs the commands of FILE one after the other, each a line with
 * its words parted by the unit separator (0x1f). A line "=== N" goes before each on both outputs,
 * and after each comes an operation that the policy refuses, by this program's name: the mark
 * between their events.
 *
 * Starting a backend costs more than most cases; those with the same policy share one run this way.
 */
#include "attack.h"

enum { most_words = 32 };

static void announce(int number) {
  char text[32];
  int length = snprintf(text, sizeof text, "=== %d\n", number);
  if (write(1, text, (size_t)length) < 0 || write(2, text, (size_t)length) < 0) _exit(1);
}

static void run(char* line) {
  char* words[most_words + 1] = {NULL};
  int count = 0, status;
  for (char* word = strtok(line, "\x1f\n"); word && count < most_words;
       word = strtok(NULL, "\x1f\n"))
    words[count++] = word;
  pid_t pid = fork();
  if (pid == 0) {
    execv(words[0], words);
    broken(words[0]);
  }
  waitpid(pid, &status, 0);
  while (waitpid(-1, &status, WNOHANG) > 0) continue; /* children by CLONE_PARENT */
}

/* In a child, should it be let through after all. */
static void be_reported(const char* how) {
  pid_t pid = fork();
  if (pid == 0) {
    if (strcmp(how, "setns") == 0)
      raw(SYS_setns, foreign_fd + ns_cgroup, CLONE_NEWCGROUP, 0, 0, 0);
    else
      raw(SYS_unshare, CLONE_NEWTIME, 0, 0, 0, 0);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}

int main(int argc, char** argv) {
  char* line = NULL;
  size_t space = 0;
  FILE* file = argc == 3 ? fopen(argv[2], "re") : NULL;
  if (!file) {
    fprintf(stderr, "usage: conform_batch setns|unshare FILE\n");
    return exit_usage;
  }
  for (int number = 0; getline(&line, &space, file) > 0; number++) {
    announce(number);
    run(line);
    be_reported(argv[1]);
  }
  return 0;
}
