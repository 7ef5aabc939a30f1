/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ways to end, stop or starve a process that do not ask security_task_kill(), each refused where the kernel asks.
 * Written once: the machine's guard includes it for the daemon, a run's object for holdfast and its guardian.
 *
 *   file_send_sigiotask        SIGIO, F_SETSIG, SIGURG: from an owned file, to a process, thread or group
 *   task_setscheduler          sched_setscheduler, _setattr, _setaffinity, timerslack_ns; a cpuset with its tasks
 *   task_setnice, _setioprio   setpriority, ioprio_set
 *   task_movememory            migrate_pages, move_pages
 *   file_permission            cgroup.kill, cgroup.freeze, limits and the like; /proc/PID/oom_score_adj and the like
 *   perf_event_alloc           events of a protected task: CAP_PERFMON replaces the right to trace. attr.sigtrap
 *                              signals it, samples hold its registers and stack
 *   cgroup_procs_write_start,  the move of a protected task to another cgroup
 *   inode_permission
 *
 * Whoever includes this says before that:
 *
 *   static int is_protected(__u64 task)          may that task, by the address of its task_struct, be one?
 *   static int is_kept_off(void)                 is current one of those that may not touch them?
 *   static int protected_below(__u64 cgroup)     is one of them in that cgroup or below it?
 *   REFUSE_TOUCH(what, detail)                   leaves an LSM program with a refusal, HF_GUARD_*
 *   KEPT_OFF_ARE_CONFINED                        1: those are the confined alone, so they can be kept from what acts
 *                                                on any process of the machine, too
 */
#ifndef HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H
#define HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H

#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/bpf.h>

#include "bpf/lib/decision_points.h"
#include "bpf/lib/names.bpf.h"
#include "bpf/guard/protected_types.bpf.h"

#define PT_CGROUP1_MAGIC 0x27e0eb /* linux/magic.h */
#define PT_CGROUP2_MAGIC 0x63677270
#define PT_PROC_MAGIC 0x9fa0
#define PT_SYSFS_MAGIC 0x62656572
#define PT_TRACEFS_MAGIC 0x74726163
#define PT_DEBUGFS_MAGIC 0x64626720
#define PT_MAY_WRITE 2 /* linux/fs.h */
#define PT_MAX_CONTROLLERS 16
#define PT_SIGIO 29
#define PT_NAME 32
#define PT_PERF_TRACEPOINT 2 /* enum perf_type_id */
#define PT_PERF_DYNAMIC 6    /* from here on: kprobes, uprobes, processors' own units */

static __always_inline __u32 pt_tgid(__u64 task) { return BPF_CORE_READ((struct task_struct___pt *)task, tgid); }

/* ---- signals of files ------------------------------------------------------------------------------------------ */

/*
 * Nothing here is asked for the setter of the file's owner: none of the protected ever uses such signals, so none
 * is for them, and there is no record that a file could be reused under. Current is whoever made the file ready,
 * or whom an interrupt came to. 0 stands for SIGIO.
 */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(protect_sigio, void *task, void *fown, int sig) {
  if (!is_protected((__u64)task)) return 0;
  REFUSE_TOUCH(HF_GUARD_SIGNAL, sig ? (__u32)sig : PT_SIGIO);
}

/* ---- processor, disk, memory ----------------------------------------------------------------------------------- */

#define PROTECT_SCHEDULE(name) \
  SEC("lsm/task_" #name) \
  int BPF_PROG(protect_##name, void *task) { \
    if (!is_protected((__u64)task) || !is_kept_off()) return 0; \
    REFUSE_TOUCH(HF_GUARD_SCHEDULE, pt_tgid((__u64)task)); \
  }
PROTECT_SCHEDULE(setscheduler)
PROTECT_SCHEDULE(setnice)
PROTECT_SCHEDULE(setioprio)
PROTECT_SCHEDULE(movememory)

/* ---- files of cgroups ------------------------------------------------------------------------------------------ */

/* The cgroup of that hierarchy which the task is in is this one or below it. */
static __noinline int pt_is_below(__u64 inner_address, __u64 outer_address) {
  struct cgroup___pt *inner = (void *)inner_address, *outer = (void *)outer_address, *at = 0;
  int level = BPF_CORE_READ(outer, level);
  if (!inner || level < 0 || BPF_CORE_READ(inner, level) < level) return 0;
  bpf_probe_read_kernel(&at, sizeof(at), (void *)&inner->ancestors + (__u32)level * sizeof(void *));
  return at == outer;
}

/* The hierarchy of version 2 is every task's dfl_cgrp; of version 1, that of a controller. */
static __noinline int pt_task_is_below(__u64 task, __u64 outer) {
  struct css_set___pt *set = BPF_CORE_READ((struct task_struct___pt *)task, cgroups);
  struct cgroup_root___pt *root = BPF_CORE_READ((struct cgroup___pt *)outer, root);
  struct cgroup___pt *inner = BPF_CORE_READ(set, dfl_cgrp);
  __u32 controllers = bpf_core_field_size(set->subsys) / sizeof(void *);
  if (BPF_CORE_READ(inner, root) == root) return pt_is_below((__u64)inner, outer);
  for (__u32 i = 0; i < PT_MAX_CONTROLLERS; i++) {
    struct cgroup_subsys_state___pt *css = 0;
    if (i >= controllers) return 0;
    bpf_probe_read_kernel(&css, sizeof(css), (void *)&set->subsys + i * sizeof(void *));
    inner = BPF_CORE_READ(css, cgroup);
    if (inner && BPF_CORE_READ(inner, root) == root) return pt_is_below((__u64)inner, outer);
  }
  return 0;
}

/*
 * What is written to move a task (which is decided below), and what no process can be starved by. All other files of
 * a cgroup are refused, whatever controllers a kernel has.
 */
static __always_inline int pt_is_harmless(const char *name) {
  return HF_SAME(name, "cgroup.procs") || HF_SAME(name, "cgroup.threads") || HF_SAME(name, "tasks") ||
         HF_SAME(name, "cgroup.subtree_control") || HF_SAME(name, "cgroup.pressure") ||
         HF_SAME(name, "memory.pressure") || HF_SAME(name, "cpu.pressure") || HF_SAME(name, "io.pressure") ||
         HF_SAME(name, "irq.pressure");
}

/*
 * The cgroup whose file this is, when writing to it acts on a protected task; else 0. The root has no such files, and
 * everything below it would be refused.
 */
static __noinline __u64 pt_cgroup_touched(__u64 inode) {
  struct kernfs_node___pt *kn = BPF_CORE_READ((struct inode___pt *)inode, i_private), *parent = 0;
  struct cgroup___pt *cgroup;
  char name[PT_NAME] = {};
  if (!kn || bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(kn, name)) < 0) return 0;
  if (pt_is_harmless(name)) return 0;
  if (bpf_core_field_exists(kn->__parent))
    parent = BPF_CORE_READ(kn, __parent);
  else
    parent = BPF_CORE_READ(kn, parent);
  cgroup = BPF_CORE_READ(parent, priv);
  if (!cgroup || BPF_CORE_READ(cgroup, level) == 0) return 0;
  return protected_below((__u64)cgroup) ? (__u64)cgroup : 0;
}

static __always_inline __u32 pt_cgroup_id(__u64 cgroup) {
  return (__u32)BPF_CORE_READ((struct cgroup___pt *)cgroup, kn, id);
}

/* ---- files of processes ---------------------------------------------------------------------------------------- */

static __always_inline __u64 pt_proc_inode(__u64 inode) {
  struct proc_inode___pt *none = 0;
  return inode - (__u64)__builtin_preserve_access_index(&none->vfs_inode);
}

/* The task that a file below /proc/PID or /proc/PID/task/TID is about; 0: it is about none, or that is gone. */
static __noinline __u64 pt_task_of_file(__u64 inode) {
  struct proc_inode___pt *proc = (void *)pt_proc_inode(inode);
  struct pid___pt *pid = BPF_CORE_READ(proc, pid);
  struct task_struct___pt *none = 0;
  struct hlist_node___pt *node;
  if (!pid) return 0;
  node = BPF_CORE_READ(pid, tasks[0].first);
  return node ? (__u64)node - (__u64)__builtin_preserve_access_index(&none->pid_links[0]) : 0;
}

/* ---- what acts on any process ---------------------------------------------------------------------------------- */

/* sysrq-trigger kills all, hard_offline_page whoever has the page; a uprobe puts a byte into any program's code. */
static __noinline int pt_acts_on_all(__u64 inode, unsigned long magic) {
  char name[PT_NAME] = {};
  if (magic == PT_TRACEFS_MAGIC || magic == PT_DEBUGFS_MAGIC) return 1;
  if (magic == PT_PROC_MAGIC) {
    struct proc_inode___pt *proc = (void *)pt_proc_inode(inode);
    struct proc_dir_entry___pt *entry = BPF_CORE_READ(proc, pde);
    if (!entry || bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(entry, name)) < 0) return 0;
    return HF_SAME(name, "sysrq-trigger");
  }
  if (magic == PT_SYSFS_MAGIC) {
    struct kernfs_node___pt *kn = BPF_CORE_READ((struct inode___pt *)inode, i_private);
    if (!kn || bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(kn, name)) < 0) return 0;
    return HF_SAME(name, "hard_offline_page") || HF_SAME(name, "soft_offline_page");
  }
  return 0;
}

/*
 * Each write, not each open: the descriptor may be older than the enforcement, or have been sent. Every way to write
 * asks here (rw_verify_area(): write, writev, pwrite, sendfile, splice, aio and io_uring).
 */
SEC("lsm/file_permission")
int BPF_PROG(protect_write, struct file___pt *file, int mask) {
  unsigned long magic;
  struct inode___pt *inode;
  __u64 address = 0, touched;
  if (!(mask & PT_MAY_WRITE)) return 0;
  inode = file->f_inode;
  magic = inode->i_sb->s_magic;
  bpf_probe_read_kernel(&address, sizeof(address), &inode); /* a number from here on */
  if (magic == PT_CGROUP2_MAGIC || magic == PT_CGROUP1_MAGIC) {
    touched = pt_cgroup_touched(address);
    if (!touched || !is_kept_off()) return 0;
    REFUSE_TOUCH(HF_GUARD_CGROUP, pt_cgroup_id(touched));
  }
  if (magic == PT_PROC_MAGIC) {
    touched = pt_task_of_file(address);
    if (touched && is_protected(touched) && is_kept_off()) REFUSE_TOUCH(HF_GUARD_PROCESS, pt_tgid(touched));
  }
  if (KEPT_OFF_ARE_CONFINED && pt_acts_on_all(address, magic) && is_kept_off()) REFUSE_TOUCH(HF_GUARD_ANY_PROCESS, 0);
  return 0;
}

/* ---- perf events of a task -------------------------------------------------------------------------------------- */

/* perf_event_alloc() has taken over attr and hw.target when it asks. */
SEC("lsm/perf_event_alloc")
int BPF_PROG(protect_perf, struct perf_event___pt *event) {
  __u64 target = (__u64)BPF_CORE_READ(event, hw.target);
  __u32 type = BPF_CORE_READ(event, attr.type);
  if (target && is_protected(target) && is_kept_off()) REFUSE_TOUCH(HF_GUARD_TRACE, pt_tgid(target));
  if (KEPT_OFF_ARE_CONFINED && (type == PT_PERF_TRACEPOINT || type >= PT_PERF_DYNAMIC) && is_kept_off())
    REFUSE_TOUCH(HF_GUARD_ANY_PROCESS, type);
  return 0;
}

/* ---- moves to another cgroup ----------------------------------------------------------------------------------- */

/*
 * machine.bpf.c explains this way: a write names the task under cgroup_mutex, and only then, and only in version 2,
 * asks inode_permission() for MAY_WRITE alone. In version 1 nothing is asked; there the files above are what is kept
 * off.
 */
/* Not static: the compiler would give them names that BTF does not take. */
__u64 pt_mover;
__u64 pt_moved; /* a protected task; 0: another was named */

SEC("fexit/" HF_MOVE_NAMED)
int BPF_PROG(protect_named, char *buf, _Bool threadgroup, void *lock, void *task) {
  int named = (__u64)task < (__u64)-HF_MAX_ERRNO && is_protected((__u64)task);
  pt_moved = named ? (__u64)task : 0;
  pt_mover = bpf_get_current_task();
  return 0;
}

SEC("lsm/inode_permission")
int BPF_PROG(protect_move, struct inode___pt *inode, int mask) {
  if (mask != PT_MAY_WRITE || !pt_moved || pt_mover != bpf_get_current_task()) return 0;
  if (inode->i_sb->s_magic != PT_CGROUP2_MAGIC || !is_kept_off()) return 0;
  REFUSE_TOUCH(HF_GUARD_CGROUP, pt_tgid(pt_moved));
}

#endif /* HOLDFAST_BPF_GUARD_PROTECTED_TASKS_BPF_H */
