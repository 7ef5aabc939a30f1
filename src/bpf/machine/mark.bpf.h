/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks on executables and cgroups: what a task that executes a marked file is, and who may change that.
 *
 * Reading an attribute takes a program that sleeps and a kernel from 6.8 on, and then only user.* names. So, as
 * with delegation, its changes are followed where they pass the security modules, and user space adds what was
 * there before. A file is known by device, number and generation, which is as good as the file system's word:
 * only those that never give a number and generation twice are let carry marks.
 *
 * A task that could change the attribute, write to the file, or make a task that executes it act, would have the
 * profile. All of these are one question (hf_decide_mark()).
 */
#ifndef HOLDFAST_BPF_MACHINE_MARK_BPF_H
#define HOLDFAST_BPF_MACHINE_MARK_BPF_H

#include "bpf/machine/cgroup_delegation.bpf.h"
#include "bpf/machine/machine_label_maps.bpf.h"
#include "bpf/machine/machine_namespace.bpf.h"
#include "bpf/machine/machine_socket.bpf.h"
#include "bpf/machine/mark_maps.bpf.h"

#define EXT_SUPER_MAGIC 0xef53
#define XFS_SUPER_MAGIC 0x58465342
#define F2FS_SUPER_MAGIC 0xf2f52010
#define TMPFS_MAGIC 0x01021994
#define S_IFREG 0100000
#define MAY_ACCESS 0x10
#define UNSAFE_EXEC 7 /* LSM_UNSAFE_SHARE, _PTRACE, _NO_NEW_PRIVS */
#define BPRM_SECUREEXEC 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block___mark {
  unsigned int s_dev;
  unsigned long s_magic;
};
struct inode___mark {
  unsigned short i_mode;
  unsigned int i_nlink;
  unsigned int i_generation;
  unsigned long i_ino;
  struct {
    int counter;
  } i_writecount;
  struct super_block___mark *i_sb;
};
struct dentry___mark {
  struct inode___mark *d_inode;
};
struct file___mark {
  struct inode___mark *f_inode;
};
struct linux_binprm___mark {
  struct file___mark *file;
  unsigned int unsafe;
};
#pragma clang attribute pop

static __always_inline void name_file(struct hf_file_key *key, struct inode___mark *inode) {
  key->inode = BPF_CORE_READ(inode, i_ino);
  key->device = BPF_CORE_READ(inode, i_sb, s_dev);
  key->generation = BPF_CORE_READ(inode, i_generation);
}

static __always_inline int can_carry(struct inode___mark *inode) {
  unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
  if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG) return 0;
  return magic == EXT_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == F2FS_SUPER_MAGIC || magic == TMPFS_MAGIC;
}

static __always_inline __u64 mark_of_file(struct inode___mark *inode) {
  struct hf_file_key key = {};
  __u64 *id;
  name_file(&key, inode);
  id = bpf_map_lookup_elem(&marked_files, &key);
  return id ? *id : 0;
}

/* The mark that an attribute's name is. 0: none of the live policy's; -1: not known. Half a stack, so a frame of its own. */
static __noinline int find_mark(__u64 name, __u64 *id) {
  const struct hf_tables *tables = live_tables();
  struct hf_mark_key key = {};
  struct hf_mark *mark;
  if (!id || !tables) return -1;
  *id = 0;
  key.generation = tables->generation;
  if (bpf_probe_read_kernel_str(key.name, sizeof(key.name), (void *)name) < 0) return -1;
  mark = bpf_map_lookup_elem(&mark_names, &key);
  if (mark) *id = mark->id;
  return 0;
}

/* Not 0: no policy is live, which is counted. */
static __always_inline int nothing_live(const struct hf_tables *tables) {
  if (tables) return 0;
  hf_count_undecided(&cgroup_totals.decisions);
  return 1;
}

/* A global function: verified once, and what it writes is unknown to its callers. */
__noinline int judge_mark_rule(struct hf_tables *tables, struct hf_request *r, struct hf_verdict *v) {
  if (!tables || !r || !v) return -1;
  hf_decide_some(tables, r, 1u << HF_OP_MARK, v);
  return 0;
}

/* A frame of its own: paths are read before, and not on top of it. `subject`: -1: it cannot be told. */
static __noinline int answer_mark(const struct hf_tables *tables, int subject, __u16 object, __u16 via, __u64 target) {
  struct hf_request r = {.op = HF_OP_MARK, .via = via, .object = object};
  struct parties parties = {.target = target};
  struct hf_verdict v = {};
  if (!tables) return 1;
  parties.generation = tables->generation;
  if (subject < 0)
    r.flags |= HF_REQ_FACTS_MISSING;
  else
    r.subject = subject;
  if (judge_mark_rule((struct hf_tables *)tables, &r, &v)) return 1;
  tell(&r, &v, &parties);
  return hf_enforced_error(&v) != 0;
}

/* May this task do that to what confers the profile of mark `id`? Not 0: refused, and reported. */
static __noinline int judge_mark(__u64 id, __u32 way, __u64 target) {
  const struct hf_tables *tables = live_tables();
  __u16 object;
  if (nothing_live(tables)) return 1;
  object = profile_of_mark(tables->generation, id);
  if (object == HF_NO_PROFILE) return 0; /* the live policy has no such mark */
  return answer_mark(tables, mover_number(tables->generation), object, way, target);
}

/* ---- the attribute ------------------------------------------------------------------------------------------- */

/* A task that the kernel allows it is refused it here. */
static __noinline int refuse_mark(__u64 id, __u64 target) {
  struct hf_request r = {.op = HF_OP_MARK, .via = HF_VIA_MARK_SET};
  const struct hf_tables *tables = live_tables();
  struct parties parties = {.target = target};
  struct hf_verdict v = {};
  if (nothing_live(tables)) return 1;
  parties.generation = tables->generation;
  r.object = profile_of_mark(parties.generation, id);
  hf_refuse_plain(&v, HF_REASON_MARK);
  tell(&r, &v, &parties);
  return 1;
}

static __always_inline int mark_cgroup(__u64 cgroup, __u64 mark) {
  __u64 id = cgroup_id(cgroup);
  __u64 *had = bpf_map_lookup_elem(&marked_cgroups, &id);
  int failed = 0;
  if (had)
    *had = mark;
  else
    failed = bpf_map_update_elem(&marked_cgroups, &id, &mark, BPF_ANY) != 0;
  __sync_fetch_and_add(&mark_epoch, 1);
  return failed;
}

static __always_inline int mark_file(struct inode___mark *inode, __u64 mark) {
  __u64 had = mark_of_file(inode);
  struct hf_file_key key = {};
  /* Who has it open for writing could change it later, and a second mark would hide the first. */
  if (!can_carry(inode) || BPF_CORE_READ(inode, i_writecount.counter) > 0) return -1;
  if (had && had != mark) return -1;
  name_file(&key, inode);
  return bpf_map_update_elem(&marked_files, &key, &mark, BPF_ANY) != 0;
}

/* What is not marked any more. A cgroup is noted, so that user space does not add it again. */
static __noinline int forget_mark(struct dentry___mark *dentry, __u64 mark) {
  __u64 cgroup = cgroup_of_dentry((const struct dentry___cg *)dentry);
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  struct hf_file_key key = {};
  if (cgroup) return mark_cgroup(cgroup, 0);
  if (mark_of_file(inode) != mark) return 0;
  name_file(&key, inode);
  bpf_map_delete_elem(&marked_files, &key);
  return 0;
}

/*
 * Not 0: the attribute stays as it is. It counts from here on, before the kernel sets it: afterwards what there is no room
 * for could not be refused any more. Should the kernel fail then, it counts all the same, since its task was allowed to
 * make it count.
 */
static __always_inline int set_mark(struct dentry___mark *dentry, __u64 name) {
  __u64 cgroup = cgroup_of_dentry((const struct dentry___cg *)dentry);
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  __u64 target = BPF_CORE_READ(inode, i_ino);
  __u64 mark = 0;
  if (find_mark(name, &mark)) return 1;
  if (!mark) return 0;
  if (judge_mark(mark, HF_VIA_MARK_SET, target)) return 1;
  if (cgroup ? mark_cgroup(cgroup, mark) : mark_file(inode, mark))
    return refuse_mark(mark, cgroup ? cgroup_id(cgroup) : target);
  return 0;
}

/*
 * Where the kernel says that an attribute has been removed, it is forgotten then, so that a removal that fails leaves the
 * file protected. Before, it is forgotten ahead: who may not remove it has been refused.
 */
static __always_inline int remove_mark(struct dentry___mark *dentry, __u64 name) {
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  __u64 mark = 0;
  if (find_mark(name, &mark)) return 1;
  if (!mark) return 0;
  if (judge_mark(mark, HF_VIA_MARK_REMOVE, BPF_CORE_READ(inode, i_ino))) return 1;
  if (!kernel_labels) forget_mark(dentry, mark);
  return 0;
}

SEC("lsm/inode_setxattr")
int BPF_PROG(mark_set_xattr, struct hf_unread *idmap, struct dentry___mark *dentry, const char *name, const void *value,
             unsigned long size, int flags) {
  if (!mark_rules) return 0;
  return hf_answer(set_mark(dentry, (__u64)name));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(mark_remove_xattr, struct hf_unread *idmap, struct dentry___mark *dentry, const char *name) {
  if (!mark_rules) return 0;
  return hf_answer(remove_mark(dentry, (__u64)name));
}

/* Loaded with those that hear of labels, whose kernels have this hook. */
SEC("lsm/inode_post_removexattr")
int BPF_PROG(mark_was_removed, struct dentry___mark *dentry, const char *name) {
  __u64 mark = 0;
  if (mark_rules && !find_mark((__u64)name, &mark) && mark) forget_mark(dentry, mark);
  return 0;
}

/* Refused if a task has it open for writing, since that could change it later. */
static __noinline int learn_mark(struct dentry___mark *dentry, __u64 name) {
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  struct hf_file_key key = {};
  __u64 mark = 0;
  if (find_mark(name, &mark) || !mark || !can_carry(inode)) return 0;
  if (BPF_CORE_READ(inode, i_writecount.counter) > 0) return 0;
  name_file(&key, inode);
  bpf_map_update_elem(&marked_files, &key, &mark, BPF_NOEXIST);
  return 0;
}

/* The daemon, which has just read it, reads it again. */
SEC("lsm/inode_getxattr")
int BPF_PROG(mark_get_xattr, struct dentry___mark *dentry, const char *name) {
  __u32 zero = 0;
  __u32 *learner;
  if (!mark_rules) return 0;
  learner = bpf_map_lookup_elem(&mark_learner, &zero);
  if (!learner || !*learner || *learner != bpf_get_current_pid_tgid() >> 32) return 0;
  learn_mark(dentry, (__u64)name);
  return 0;
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

/*
 * The kernel asks with MAY_WRITE when a task opens a file for writing, or truncates it. A task that only asks
 * (access()) does not write.
 */
HF_PROG_IDMAP("lsm/inode_permission", mark_write, struct inode___mark *inode, int mask) {
  __u64 id;
  if (!mark_rules || !(mask & HF_MAY_WRITE) || (mask & MAY_ACCESS)) return 0;
  id = mark_of_file(inode);
  return hf_answer(id && judge_mark(id, HF_VIA_MARK_WRITE, BPF_CORE_READ(inode, i_ino)));
}

/*
 * A file without a name is forgotten when the kernel lets go of it (__destroy_inode()). Not when a name is taken away: that
 * is asked before it is done and can still fail, and a rename may be an exchange. Its number can be another file's by then,
 * which has another generation.
 */
SEC("lsm/inode_free_security")
int BPF_PROG(mark_file_gone, struct inode___mark *inode) {
  struct hf_file_key key = {};
  if (!mark_rules || BPF_CORE_READ(inode, i_nlink) || !can_carry(inode)) return 0;
  name_file(&key, inode);
  bpf_map_delete_elem(&marked_files, &key);
  return 0;
}

static long forget_device(void *map, const struct hf_file_key *key, __u64 *id, __u32 *device) {
  if (key->device == *device) bpf_map_delete_elem(map, key);
  return 0;
}

/* The device may come back with another content. */
SEC("lsm/sb_free_security")
int BPF_PROG(mark_unmount, struct super_block___mark *sb) {
  __u32 device = BPF_CORE_READ(sb, s_dev);
  if (mark_rules) bpf_for_each_map_elem(&marked_files, forget_device, &device, 0);
  return 0;
}

/* ---- the task --------------------------------------------------------------------------------------------------- */

/*
 * Room for what the task will be, while the exec can still be refused. A tracer, or a task that shares its
 * directory and root, would act with the profile; and nothing is gained under no_new_privs.
 */
static __noinline int prepare_exec(struct linux_binprm___mark *bprm) {
  struct inode___mark *inode = BPF_CORE_READ(bprm, file, f_inode);
  __u64 current = bpf_get_current_task();
  __u64 none = 0;
  __u64 id = mark_of_file(inode);
  __u64 *had = bpf_map_lookup_elem(&marked_tasks, &current);
  if (!id) return 0;
  if ((BPF_CORE_READ(bprm, unsafe) & UNSAFE_EXEC) && (!had || *had != id) &&
      judge_mark(id, HF_VIA_MARK_EXEC, BPF_CORE_READ(inode, i_ino)))
    return 1;
  if (had) return 0;
  if (!bpf_map_update_elem(&marked_tasks, &current, &none, BPF_NOEXIST)) return 0;
  hf_count_undecided(&cgroup_totals.decisions);
  return 1;
}

/* DecisionRecord in each round: of a script, last about its interpreter, which is what runs. */
SEC("lsm/bprm_check_security")
int BPF_PROG(mark_prepare_exec, struct linux_binprm___mark *bprm) {
  if (!mark_rules) return 0;
  if (prepare_exec(bprm)) return hf_answer(1);
  if (mark_of_file(BPF_CORE_READ(bprm, file, f_inode))) bpf_bprm_opts_set((void *)bprm, BPRM_SECUREEXEC);
  return 0;
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(mark_exec, struct linux_binprm___mark *bprm) {
  __u64 current = bpf_get_current_task();
  __u64 id, *had;
  if (!mark_rules) return 0;
  id = mark_of_file(BPF_CORE_READ(bprm, file, f_inode));
  had = bpf_map_lookup_elem(&marked_tasks, &current);
  if (had) *had = id; /* also 0: what a marked program executes is another program */
  if (id && !had) count(&cgroup_totals.unrecorded);
  return 0;
}

SEC("lsm/task_alloc")
int BPF_PROG(mark_fork, struct task_struct *task, __u64 clone_flags) {
  __u64 parent = bpf_get_current_task();
  __u64 child = (__u64)task;
  __u64 id, *had;
  if (!mark_rules) return 0;
  had = bpf_map_lookup_elem(&marked_tasks, &parent);
  if (!had || !*had) return 0;
  id = *had;
  if (bpf_map_update_elem(&marked_tasks, &child, &id, BPF_ANY)) return -HF_EAGAIN;
  return 0;
}

SEC("lsm/task_free")
int BPF_PROG(mark_task_end, struct task_struct *task) {
  __u64 key = (__u64)task;
  if (mark_rules) bpf_map_delete_elem(&marked_tasks, &key);
  return 0;
}

/*
 * A task that ends leaves its entries here, and not only when its task_struct goes: others can keep that (an event of
 * perf_event_open() does), so that there would be more entries than tasks. Should this not be run, task_free removes them.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(machine_task_exit, struct task_struct *task, hf_maybe_bool group_dead) {
  __u64 key = (__u64)task;
  if (mark_rules) bpf_map_delete_elem(&marked_tasks, &key);
  if (socket_peers) bpf_map_delete_elem(&peer_calls, &key);
  if (namespace_rules) bpf_map_delete_elem(&calls, &key);
  if (sessions_live) leave_sessions(hf_number(task));
  return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(mark_trace, struct task_struct *child, unsigned int mode) {
  __u64 tracer = bpf_get_current_task();
  __u64 key = (__u64)child;
  __u64 *id, *own;
  if (!mark_rules || !(mode & HF_PTRACE_MODE_ATTACH)) return 0;
  id = bpf_map_lookup_elem(&marked_tasks, &key);
  if (!id || !*id) return 0;
  own = bpf_map_lookup_elem(&marked_tasks, &tracer);
  if (own && *own == *id) return 0;
  return hf_answer(judge_mark(*id, HF_VIA_PTRACE, 0));
}

#endif /* HOLDFAST_BPF_MACHINE_MARK_BPF_H */
