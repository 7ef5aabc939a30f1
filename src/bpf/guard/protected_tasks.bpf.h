/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Refuses attempts to end, stop or starve the daemon that do not call security_task_kill().
 *
 *   file_send_sigiotask        SIGIO, F_SETSIG, SIGURG: from a file to its owner: a process, thread or group
 *   task_setscheduler          sched_setscheduler, _setattr, _setaffinity, timerslack_ns; a cpuset with its tasks
 *   task_setnice, _setioprio   setpriority, ioprio_set
 *   task_movememory            migrate_pages, move_pages
 *   file_permission            writes to cgroup.kill, cgroup.freeze, limits and similar files of cgroups, and to
 *                              /proc/PID/oom_score_adj and similar files
 *   perf_event_alloc           perf events of a protected task, since CAP_PERFMON replaces the right to trace.
 *                              attr.sigtrap signals it, and samples contain its registers and stack
 *   cgroup_procs_write_start,  the move of a protected task to another cgroup
 *   inode_permission
 *
 * The including file has to define these before:
 *
 *   static int is_protected(__u64 task)          is the task with this task_struct protected, or may it be?
 *   static int is_kept_off(void)                 must the current task not affect protected tasks?
 *   static int protected_below(__u64 cgroup)     is a protected task in that cgroup or below it?
 *   REFUSE_TOUCH(what, detail)                   returns from an LSM program with a refusal, HF_GUARD_*
 */
#ifndef HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H
#define HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H

#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "bpf/lib/decision_points.h"
#include "bpf/lib/names.bpf.h"
#include "bpf/guard/any_process.bpf.h"
#include "bpf/guard/protected_types.bpf.h"
#include "bpf/lib/prototype.bpf.h"

#define CGROUP1_MAGIC 0x27e0eb /* linux/magic.h */
#define CGROUP2_MAGIC 0x63677270
#define MAX_CONTROLLERS 16
#define SIGIO 29

static __always_inline __u32 tgid_of(__u64 task) { return BPF_CORE_READ((struct task_struct___pt *)task, tgid); }

/* ---- signals of files ------------------------------------------------------------------------------------------ */

/*
 * Refuses all such signals to protected tasks, whichever task set the file's owner. Protected tasks never use these
 * signals, so no record of owners is needed. The current task is not the sender: it made the file ready, or was
 * interrupted. Signal 0 means SIGIO.
 */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(protect_sigio, struct task_struct *task, struct fown_struct *fown, int sig) {
  if (!is_protected((__u64)task)) return 0;
  REFUSE_TOUCH(HF_GUARD_SIGNAL, sig ? (__u32)sig : SIGIO);
}

/* ---- processor, disk, memory ----------------------------------------------------------------------------------- */

#define PROTECT_SCHEDULE(name, ...) \
  SEC("lsm/task_" #name) \
  int BPF_PROG(protect_##name, struct task_struct *task, ##__VA_ARGS__) { \
    if (!is_protected((__u64)task) || !is_kept_off()) return 0; \
    REFUSE_TOUCH(HF_GUARD_SCHEDULE, tgid_of((__u64)task)); \
  }
PROTECT_SCHEDULE(setscheduler)
PROTECT_SCHEDULE(setnice, int nice)
PROTECT_SCHEDULE(setioprio, int ioprio)
PROTECT_SCHEDULE(movememory)

/* ---- files of cgroups ------------------------------------------------------------------------------------------ */

/* Is `inner` the cgroup `outer` or a descendant of it? */
static __noinline int is_below(__u64 inner_address, __u64 outer_address) {
  struct cgroup___pt *inner = (void *)inner_address, *outer = (void *)outer_address, *at = 0;
  int level = BPF_CORE_READ(outer, level);
  if (!inner || level < 0 || BPF_CORE_READ(inner, level) < level) return 0;
  bpf_probe_read_kernel(&at, sizeof(at), (void *)&inner->ancestors + (__u32)level * sizeof(void *));
  return at == outer;
}

/* Is the task in the cgroup or below it? In version 2 its cgroup is dfl_cgrp, in version 1 that of a controller. */
static __noinline int task_is_below(__u64 task, __u64 outer) {
  struct css_set___pt *set = BPF_CORE_READ((struct task_struct___pt *)task, cgroups);
  struct cgroup_root___pt *root = BPF_CORE_READ((struct cgroup___pt *)outer, root);
  struct cgroup___pt *inner = BPF_CORE_READ(set, dfl_cgrp);
  __u32 controllers = bpf_core_field_size(set->subsys) / sizeof(void *);
  if (BPF_CORE_READ(inner, root) == root) return is_below((__u64)inner, outer);
  for (__u32 i = 0; i < MAX_CONTROLLERS; i++) {
    struct cgroup_subsys_state___pt *css = 0;
    if (i >= controllers) return 0;
    bpf_probe_read_kernel(&css, sizeof(css), (void *)&set->subsys + i * sizeof(void *));
    inner = BPF_CORE_READ(css, cgroup);
    if (inner && BPF_CORE_READ(inner, root) == root) return is_below((__u64)inner, outer);
  }
  return 0;
}

/*
 * Files that move a task, which are handled below, and files that cannot starve a process. Writes to all other files of
 * a cgroup are refused, so this does not depend on the kernel's controllers.
 */
static __always_inline int is_harmless(const struct hf_name *name) {
  return HF_SAME(name, "cgroup.procs") || HF_SAME(name, "cgroup.threads") || HF_SAME(name, "tasks") ||
         HF_SAME(name, "cgroup.subtree_control") || HF_SAME(name, "cgroup.pressure") ||
         HF_SAME(name, "memory.pressure") || HF_SAME(name, "cpu.pressure") || HF_SAME(name, "io.pressure") ||
         HF_SAME(name, "irq.pressure");
}

/*
 * The cgroup of this file, if a write to the file affects a protected task; otherwise 0. The root cgroup has no such
 * files. It must not count, since all tasks are below it.
 */
static __noinline __u64 cgroup_touched(__u64 inode) {
  struct kernfs_node___pt *kn = BPF_CORE_READ((struct inode___pt *)inode, i_private), *parent = 0;
  struct cgroup___pt *cgroup;
  struct hf_name name;
  if (!kn || hf_read_name(&name, BPF_CORE_READ(kn, name))) return 0;
  if (is_harmless(&name)) return 0;
  if (bpf_core_field_exists(kn->__parent))
    parent = BPF_CORE_READ(kn, __parent);
  else
    parent = BPF_CORE_READ(kn, parent);
  cgroup = BPF_CORE_READ(parent, priv);
  if (!cgroup || BPF_CORE_READ(cgroup, level) == 0) return 0;
  return protected_below((__u64)cgroup) ? (__u64)cgroup : 0;
}

static __always_inline __u32 cgroup_number_of(__u64 cgroup) {
  return (__u32)BPF_CORE_READ((struct cgroup___pt *)cgroup, kn, id);
}

/* The task of a file below /proc/PID or /proc/PID/task/TID. 0: the file has none, or the task has ended. */
static __noinline __u64 task_of_file(__u64 inode) {
  struct proc_inode___pt *proc = (void *)proc_inode(inode);
  struct pid___pt *pid = BPF_CORE_READ(proc, pid);
  struct task_struct___pt *none = 0;
  struct hlist_node___pt *node;
  if (!pid) return 0;
  node = BPF_CORE_READ(pid, tasks[0].first);
  return node ? (__u64)node - (__u64)__builtin_preserve_access_index(&none->pid_links[0]) : 0;
}

/* ---- writes to files of cgroups and processes ------------------------------------------------------------------- */

/*
 * This checks each write and not each open, because a descriptor may be older than the enforcement or come from another
 * process. All kinds of writes call it (rw_verify_area(): write, writev, pwrite, sendfile, splice, aio, io_uring).
 */
SEC("lsm/file_permission")
int BPF_PROG(protect_write, struct file___pt *file, int mask) {
  unsigned long magic;
  struct inode___pt *inode;
  __u64 address = 0, touched;
  if (!(mask & MAY_WRITE)) return 0;
  inode = file->f_inode;
  magic = inode->i_sb->s_magic;
  bpf_probe_read_kernel(&address, sizeof(address), &inode); /* a number from here on */
  if (magic == CGROUP2_MAGIC || magic == CGROUP1_MAGIC) {
    touched = cgroup_touched(address);
    if (!touched || !is_kept_off()) return 0;
    REFUSE_TOUCH(HF_GUARD_CGROUP, cgroup_number_of(touched));
  }
  if (magic == PROC_MAGIC) {
    touched = task_of_file(address);
    if (touched && is_protected(touched) && is_kept_off()) REFUSE_TOUCH(HF_GUARD_PROCESS, tgid_of(touched));
  }
  return 0;
}

/* ---- perf events of a task -------------------------------------------------------------------------------------- */

/* perf_event_alloc() has set attr and hw.target before it calls the hook. */
SEC("lsm/perf_event_alloc")
int BPF_PROG(protect_perf, struct perf_event___pt *event) {
  __u64 target = (__u64)BPF_CORE_READ(event, hw.target);
  if (target && is_protected(target) && is_kept_off()) REFUSE_TOUCH(HF_GUARD_TRACE, tgid_of(target));
  return 0;
}

/* ---- moves to another cgroup ----------------------------------------------------------------------------------- */

/*
 * bpf/machine/machine.bpf.c explains this. A write determines the task under cgroup_mutex. After that, and only in
 * version 2, the kernel calls inode_permission() with MAY_WRITE alone. Version 1 has no such call; there the checks of
 * files above have to do.
 */
/* Not static, because the compiler would give them names that are not valid in BTF. */
__u64 mover_of_protected;
__u64 moved_protected; /* the protected task that is moved; 0: another task is moved */

SEC("fexit/" HF_MOVE_NAMED)
int HF_PROG_RESULT(protect_named, char *buf, _Bool threadgroup, struct hf_unread *lock, struct task_struct *task) {
  int named = (__u64)task < (__u64)-HF_MAX_ERRNO && is_protected((__u64)task);
  moved_protected = named ? (__u64)task : 0;
  mover_of_protected = bpf_get_current_task();
  return 0;
}

HF_PROG_IDMAP("lsm/inode_permission", protect_move, struct inode___pt *inode, int mask) {
  if (mask != MAY_WRITE || !moved_protected || mover_of_protected != bpf_get_current_task()) return 0;
  if (inode->i_sb->s_magic != CGROUP2_MAGIC || !is_kept_off()) return 0;
  REFUSE_TOUCH(HF_GUARD_CGROUP, tgid_of(moved_protected));
}

#endif /* HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H */
