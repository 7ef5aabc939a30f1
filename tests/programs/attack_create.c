// SPDX-License-Identifier: Apache-2.0
/*
 * attack_create WAY TYPES: makes namespaces in every way that the kernel has. Escaped when a
 * namespace of one of the types is a new one afterwards; the look is the new task's own.
 */
#include "attack.h"

#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/ioctl.h>

#ifndef OPEN_TREE_NAMESPACE
#define OPEN_TREE_NAMESPACE 2
#endif
#ifndef FSMOUNT_NAMESPACE
#define FSMOUNT_NAMESPACE 2
#endif
#define EMPTY_MNTNS_UNSHARE 0x100000
#define EMPTY_MNTNS_CLONE (1ULL << 37)

static int wanted; /* clone flags */
static uint64_t before[NS_COUNT];
static struct shared_result* result;
static struct clone_args* low_args; /* below 4 GiB, for the 32-bit entry */

static void look(void) {
  for (int i = 0; i < NS_COUNT; i++)
    if ((wanted & ns_flag[i]) && ns_of_self(i) != before[i]) result->inside = 1;
}

static void done(long value) {
  result->result = value < 0 ? value : 0;
  result->done = 1;
}

/* The result of a fork-like call: the child looks, the parent waits. */
static int born(long pid) {
  int status = 0;
  if (pid == 0) {
    look();
    _exit(0);
  }
  if (pid > 0) waitpid((pid_t)pid, &status, __WALL);
  done(pid);
  return status;
}

/* unshare() in a child, so that the caller's own namespaces stay for a second look. */
static int unshare_in_child(long (*call)(void)) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    done(call());
    look();
    _exit(0);
  }
  waitpid(pid, &status, 0);
  return status;
}

static long plain_unshare(void) { return raw(SYS_unshare, wanted, 0, 0, 0, 0); }
static long int80_unshare(void) { return int80(310, wanted, 0, 0); }
static long x32_unshare(void) { return raw(0x40000000 + SYS_unshare, wanted, 0, 0, 0, 0); }
static long empty_unshare(void) { return raw(SYS_unshare, EMPTY_MNTNS_UNSHARE, 0, 0, 0, 0); }
/* With flags beside the wanted ones that have nothing to do with namespaces. */
static long mixed_unshare(void) {
  return raw(SYS_unshare, wanted | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM, 0, 0, 0, 0);
}

static int by_unshare(void) { return unshare_in_child(plain_unshare); }
static int by_unshare_int80(void) { return unshare_in_child(int80_unshare); }
static int by_unshare_x32(void) { return unshare_in_child(x32_unshare); }
static int by_unshare_empty(void) { return unshare_in_child(empty_unshare); }
static int by_unshare_mixed(void) { return unshare_in_child(mixed_unshare); }

static int by_clone(void) { return born(raw(SYS_clone, wanted | SIGCHLD, 0, 0, 0, 0)); }
/* clone() reads the lower 32 bits of its flags. */
static int by_clone_high_bits(void) {
  return born(raw(SYS_clone, wanted | SIGCHLD | 0x7f00000000, 0, 0, 0, 0));
}
static int by_clone_parent(void) {
  long pid = raw(SYS_clone, wanted | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    look();
    _exit(0);
  }
  usleep(100000);
  done(pid);
  return 0;
}
/* The child borrows memory until it is gone: it must not return. */
static int by_clone_vfork(void) {
  return born(raw(SYS_clone, wanted | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
}
static int by_clone_int80(void) { return born(int80(120, wanted | SIGCHLD, 0, 0)); }
static int by_clone_x32(void) {
  return born(raw(0x40000000 + SYS_clone, wanted | SIGCHLD, 0, 0, 0, 0));
}

static int clone3_with(uint64_t flags, uint64_t pid_wanted) {
  static pid_t set_tid[1];
  memset(low_args, 0, sizeof *low_args);
  low_args->flags = flags;
  low_args->exit_signal = SIGCHLD;
  set_tid[0] = (pid_t)pid_wanted;
  if (pid_wanted) {
    low_args->set_tid = (uint64_t)(uintptr_t)set_tid;
    low_args->set_tid_size = 1;
  }
  return born(raw(SYS_clone3, (long)low_args, sizeof *low_args, 0, 0, 0));
}
static int by_clone3(void) { return clone3_with((uint64_t)wanted, 0); }
static int by_clone3_set_tid(void) { return clone3_with((uint64_t)wanted | CLONE_NEWPID, 1); }
static int by_clone3_empty(void) { return clone3_with(EMPTY_MNTNS_CLONE, 0); }
static int by_clone3_int80(void) {
  memset(low_args, 0, sizeof *low_args);
  low_args->flags = (uint64_t)wanted;
  low_args->exit_signal = SIGCHLD;
  return born(int80(435, (long)low_args, sizeof *low_args, 0));
}

/* Mount namespaces that appear as descriptors (7.x). */
static void keep_if_namespace(long fd) {
  if (fd >= 0 && ioctl((int)fd, NS_GET_NSTYPE) == CLONE_NEWNS) result->inside = 1;
  done(fd);
}
static int by_open_tree(void) {
  keep_if_namespace(
      raw(SYS_open_tree, AT_FDCWD, (long)"/tmp", OPEN_TREE_NAMESPACE | OPEN_TREE_CLOEXEC, 0, 0));
  return 0;
}
static int by_open_tree_attr(void) {
  keep_if_namespace(
      raw(467, AT_FDCWD, (long)"/tmp", OPEN_TREE_NAMESPACE | OPEN_TREE_CLOEXEC, 0, 0));
  return 0;
}
static int by_fsmount(void) {
  long fs = raw(SYS_fsopen, (long)"tmpfs", 0, 0, 0, 0);
  if (fs >= 0) raw(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
  keep_if_namespace(fs < 0 ? fs
                           : raw(SYS_fsmount, fs, FSMOUNT_NAMESPACE | FSMOUNT_CLOEXEC, 0, 0, 0));
  return 0;
}

static const struct {
  const char* name;
  int (*make)(void);
} ways[] = {
    {"unshare", by_unshare},
    {"unshare-mixed", by_unshare_mixed},
    {"unshare-int80", by_unshare_int80},
    {"unshare-x32", by_unshare_x32},
    {"unshare-empty", by_unshare_empty},
    {"clone", by_clone},
    {"clone-high-bits", by_clone_high_bits},
    {"clone-parent", by_clone_parent},
    {"clone-vfork", by_clone_vfork},
    {"clone-int80", by_clone_int80},
    {"clone-x32", by_clone_x32},
    {"clone3", by_clone3},
    {"clone3-set-tid", by_clone3_set_tid},
    {"clone3-empty", by_clone3_empty},
    {"clone3-int80", by_clone3_int80},
    {"open-tree", by_open_tree},
    {"open-tree-attr", by_open_tree_attr},
    {"fsmount", by_fsmount},
};

int main(int argc, char** argv) {
  if (argc == 3) {
    wanted = flags_of(argv[2]);
    for (int i = 0; i < NS_COUNT; i++) before[i] = ns_of_self(i);
    result = new_shared_result();
    low_args =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    size_t length = cut_number_bits(argv[1]);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
      if (is_attack(ways[i].name, argv[1], length)) report(result, ways[i].make());
  }
  fprintf(stderr, "usage: attack_create WAY TYPE,...\n");
  return exit_usage;
}
