// SPDX-License-Identifier: Apache-2.0
/*
 * attack_anchor ORDER TYPES TARGET: a held task makes its way out. What holds a task is that it
 * sits in tracked namespaces; one that has replaced each of them by a new namespace that nobody
 * tracks sits in none, and may then enter TARGET's type of the host. ORDER is how it goes about it.
 */
#include "attack.h"

#include <pthread.h>

static int wanted, target;
static struct shared_result* result;

static long new_namespaces(int flags) { return raw(SYS_unshare, flags, 0, 0, 0, 0); }

/* The last step of each: walk out. A refused creation is the refusal that counts. */
static void walk_out(long created) {
  long entered = raw(SYS_setns, outside_ns_fd(place_host, target), ns_flag[target], 0, 0, 0);
  result->inside = is_outside(place_host, target);
  result->result = created < 0 ? created : entered;
  result->done = 1;
}

static int all_at_once(void) {
  walk_out(new_namespaces(wanted));
  return 0;
}

static int one_by_one(void) {
  long created = 0;
  for (int i = 0; i < NS_COUNT; i++) {
    long made = wanted & ns_flag[i] ? new_namespaces(ns_flag[i]) : 0;
    if (made < 0) created = made;
  }
  walk_out(created);
  return 0;
}

static int backwards(void) {
  long created = 0;
  for (int i = NS_COUNT; i-- > 0;) {
    long made = wanted & ns_flag[i] ? new_namespaces(ns_flag[i]) : 0;
    if (made < 0) created = made;
  }
  walk_out(created);
  return 0;
}

static int more_than_all(void) {
  int others = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
  walk_out(new_namespaces(wanted | others));
  return 0;
}

/* Each thread replaces one type; together the process has left, but each thread is held on its own.
 */
static void* one_type(void* flag) {
  long made = new_namespaces(*(const int*)flag);
  if (made == 0 && wanted == *(const int*)flag) walk_out(0);
  return (void*)made;
}
static int in_threads(void) {
  pthread_t threads[NS_COUNT];
  void* made = NULL;
  long created = 0;
  for (int i = 0; i < NS_COUNT; i++)
    if (wanted & ns_flag[i]) pthread_create(&threads[i], NULL, one_type, (void*)&ns_flag[i]);
  for (int i = 0; i < NS_COUNT; i++) {
    if (!(wanted & ns_flag[i])) continue;
    pthread_join(threads[i], &made);
    if ((long)made < 0) created = (long)made;
  }
  if (!result->done) walk_out(created);
  return 0;
}

static int fork_like(long pid) {
  int status = 0;
  if (pid == 0) {
    walk_out(0);
    _exit(0);
  }
  if (pid < 0)
    walk_out(pid);
  else
    waitpid((pid_t)pid, &status, __WALL);
  return status;
}
static int by_clone(void) { return fork_like(raw(SYS_clone, wanted | SIGCHLD, 0, 0, 0, 0)); }
static int by_clone_vfork(void) {
  return fork_like(raw(SYS_clone, wanted | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
}

/* A generation for each type. */
static int by_generations(void) {
  int status = 0;
  for (int i = 0; i < NS_COUNT; i++) {
    if (!(wanted & ns_flag[i])) continue;
    long pid = raw(SYS_clone, ns_flag[i] | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) {
      walk_out(pid);
      return 0;
    }
    if (pid > 0) {
      waitpid((pid_t)pid, &status, __WALL);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
  }
  walk_out(0);
  report(result, 0);
}

static const struct {
  const char* name;
  int (*run)(void);
} orders[] = {
    {"at-once", all_at_once},  {"one-by-one", one_by_one},      {"backwards", backwards},
    {"more", more_than_all},   {"threads", in_threads},         {"clone", by_clone},
    {"vfork", by_clone_vfork}, {"generations", by_generations},
};

int main(int argc, char** argv) {
  if (argc == 4) {
    wanted = flags_of(argv[2]);
    target = type_of(argv[3]);
    result = new_shared_result();
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
      if (strcmp(orders[i].name, argv[1]) == 0) report(result, orders[i].run());
  }
  fprintf(stderr, "usage: attack_anchor ORDER TYPE,... TYPE\n");
  return exit_usage;
}
