// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Finds the facts for a bridged cgroup_attach program, and enforces its verdict.
 *
 * The bridged program runs on fentry of cgroup_attach_permissions(), which does not have the moved
 * task. That task is known earlier. For a write to cgroup.procs or cgroup.threads,
 * cgroup_procs_write_start() returns it. For clone3() with CLONE_INTO_CGROUP it is the child that
 * copy_process() makes. All of this happens in the task that requests the move, so the moved task is
 * stored under the address of that task. The kernel holds cgroup_mutex all the time. So there is
 * only one move at a time, and the kernel never skips one of these programs.
 *
 * After that, the kernel calls inode_permission() once for cgroup.procs of the common ancestor. A
 * program of type LSM enforces the verdict there. For clone3() the kernel also calls it before, to
 * check that the target may be written.
 *
 * An entry can be missing if a map is full. The call of inode_permission() still shows that this is
 * a move. Only cgroup_may_write() asks for MAY_WRITE alone on a cgroup.procs, apart from utimes,
 * truncate and setxattr, which are not needed there. So a call without a verdict is refused, too.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/bridge/hooks_verdict.h"
#include "bpf/lib/decision_points.h"
#include "bpf/lib/prototype.bpf.h"

#define MAX_DEPTH 64 /* the deepest cgroup in which the scope is searched */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node {
  const char *name;
  __u64 id;
};
struct cgroup {
  int level;
  struct kernfs_node *kn;
  struct cgroup *ancestors[0];
};
struct css_set {
  struct cgroup *dfl_cgrp;
};
struct task_struct {
  struct css_set *cgroups;
};
struct super_block {
  unsigned long s_magic;
};
struct inode {
  struct super_block *i_sb;
  void *i_private;
};
#pragma clang attribute pop

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load: the program applies only to tasks in the subtree of this cgroup; 0: to all. */
const volatile __u64 hf_scope_id = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_OP_CALLS);
  __type(key, __u64);
  __type(value, struct hf_hook_verdict);
} verdicts SEC(".maps");

/* Replaced before load by a map whose first word is a kptr (hooks/btf_patch.cc). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_OP_CALLS);
  __type(key, __u64);
  __type(value, struct hf_moved_task);
} tasks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_OP_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static __always_inline bool in_scope(struct task_struct *task) {
  if (hf_scope_id == 0) return true;
  struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
  int level = BPF_CORE_READ(cgroup, level);
  for (int i = 0; i < MAX_DEPTH && i <= level; i++) {
    struct cgroup *ancestor = NULL;
    struct cgroup **slot = (void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) + i * sizeof(void *);
    if (bpf_probe_read_kernel(&ancestor, sizeof ancestor, slot)) return true;
    if (BPF_CORE_READ(ancestor, kn, id) == hf_scope_id) return true;
  }
  return level >= MAX_DEPTH;
}

/* child: the address of a clone3 child, 0 for a write. */
static __always_inline int remember(struct task_struct *task, struct task_struct *scoped, __u64 child) {
  __u64 key = (__u64)bpf_get_current_task_btf();
  struct hf_moved_task none = {.outside = !in_scope(scoped), .child = child};
  bpf_map_update_elem(&tasks, &key, &none, BPF_ANY);
  struct hf_moved_task *moved = bpf_map_lookup_elem(&tasks, &key);
  if (moved) *(struct task_struct *volatile *)&moved->task = task;
  return 0;
}

static __always_inline int forget(void) {
  __u64 key = (__u64)bpf_get_current_task_btf();
  bpf_map_delete_elem(&tasks, &key);
  return 0;
}

SEC("fexit/" HF_MOVE_NAMED)
int HF_PROG_RESULT(hooks_cgroup_start, char *buf, bool threadgroup, struct hf_unread *lock, struct task_struct *task) {
  if ((unsigned long)task >= (unsigned long)-HF_MAX_ERRNO) return 0;
  return remember(task, task, 0);
}

/* A write to a cgroup of version 1 ends here, too, without a check of permissions. */
SEC("fentry/" HF_MOVE_NAMED_END)
int BPF_PROG(hooks_cgroup_finish) { return forget(); }

SEC("lsm/task_alloc")
int BPF_PROG(hooks_cgroup_clone, struct task_struct *task, __u64 clone_flags) {
  if (!(clone_flags & HF_CLONE_INTO_CGROUP)) return 0;
  remember(task, bpf_get_current_task_btf(), (__u64)task);
  return 0;
}

/* A fork that fails frees its task in the parent. */
SEC("lsm/task_free")
int BPF_PROG(hooks_cgroup_unclone, struct task_struct *task) {
  __u64 key = (__u64)bpf_get_current_task_btf();
  struct hf_moved_task *moved = bpf_map_lookup_elem(&tasks, &key);
  if (moved && moved->child == (__u64)task) bpf_map_delete_elem(&tasks, &key);
  return 0;
}

SEC("fexit/" HF_MOVE_ASKED)
int BPF_PROG(hooks_cgroup_asked) { return forget(); }

static __always_inline int refuse(__u32 why) {
  __u64 *count = bpf_map_lookup_elem(&counters, &why);
  if (count) __sync_fetch_and_add(count, 1);
  return -EPERM;
}

/* The move fails with what inode_permission() returns. What is no errno is EPERM. */
static __always_inline int refuse_with(int verdict) {
  int permission = refuse(HF_OP_REFUSED);
  return verdict < 0 && verdict >= -HF_MAX_ERRNO ? verdict : permission;
}

static __always_inline bool is_procs_file(struct inode *inode) {
  const char wanted[] = "cgroup.procs";
  char name[sizeof wanted] = {};
  struct kernfs_node *kn = inode->i_private;
  bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(kn, name));
  for (int i = 0; i < (int)sizeof wanted; i++)
    if (name[i] != wanted[i]) return false;
  return true;
}

HF_PROG_IDMAP("lsm/inode_permission", hooks_cgroup, struct inode *inode, int mask) {
  if (mask != HF_MAY_WRITE) return 0;
  if (inode->i_sb->s_magic != HF_CGROUP2_MAGIC) return 0;
  __u64 key = (__u64)bpf_get_current_task_btf();
  struct hf_hook_verdict *answer = bpf_map_lookup_elem(&verdicts, &key);
  if (answer) {
    int verdict = *(volatile __s32 *)&answer->verdict; /* read once: the verifier has to see its bounds */
    return verdict == 0 ? 0 : refuse_with(verdict);
  }

  struct hf_moved_task *moved = bpf_map_lookup_elem(&tasks, &key);
  if (moved && moved->outside) return 0;
  if (moved && moved->child && !moved->asked) {
    moved->asked = 1;
    return 0;
  }
  if (moved || is_procs_file(inode)) return refuse(HF_OP_NO_ANSWER);
  return 0;
}
