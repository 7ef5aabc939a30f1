/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks on executables and cgroups: what a task that executes a marked file is, and who may change that.
 *
 * Reading an attribute takes a program that sleeps and a kernel from 6.8 on, and then only user.* names. So, as
 * with delegation, its changes are followed where they pass the security modules, and user space adds what was
 * there before. A file is known by device, number and generation, which is as good as the file system's word:
 * only those that never give a number and generation twice are let carry marks.
 *
 * Whoever could change the attribute, write to the file, or make a task that executes it act, would have the
 * profile. All of these are one question (hf_decide_mark()).
 */
#ifndef HOLDFAST_BPF_MARK_BPF_H
#define HOLDFAST_BPF_MARK_BPF_H

#include "bpf/cgroup_delegation.bpf.h"
#include "bpf/machine_namespace.bpf.h"
#include "bpf/mark_maps.bpf.h"

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

/* Reads an attribute's name into the slot and finds the mark it is. */
static __noinline int find_mark(struct decision_slot *slot, __u64 name) {
  const struct hf_tables *tables = live_tables();
  struct hf_mark *mark;
  if (!slot) return -1;
  slot->mark.id = 0;
  if (!tables) return -1;
  slot->mark_key.generation = tables->generation;
  __builtin_memset(slot->mark_key.name, 0, sizeof(slot->mark_key.name));
  if (bpf_probe_read_kernel_str(slot->mark_key.name, sizeof(slot->mark_key.name), (void *)name) < 0) return -1;
  mark = bpf_map_lookup_elem(&mark_names, &slot->mark_key);
  if (mark) __builtin_memcpy(&slot->mark, mark, sizeof(slot->mark));
  return 0;
}

/* May this task do that to what confers the profile of mark `id`? Not 0: refused, and reported. */
static __noinline int judge_mark(struct decision_slot *slot, __u64 id, __u32 way, __u64 target) {
  struct hf_tables *tables = (struct hf_tables *)live_tables();
  __u64 current = bpf_get_current_task();
  struct hf_event *e;
  struct hf_request *r;
  if (!slot) return 1;
  e = &slot->event;
  r = &e->request;
  begin_event(e, tables);
  r->hook = HF_HOOK_MARK;
  r->way = way;
  e->target = target;
  if (tables) r->object = profile_of_mark(e->generation, id);
  if (tables && r->object == HF_NO_PROFILE) return 0; /* the live policy has no such mark */
  if (!tables || mover_of(&slot->walk, e->generation, current, &r->subject) ||
      judge_namespace(tables, r, &e->verdict)) {
    r->flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(&e->verdict, HF_REASON_FACTS_MISSING);
  }
  report(e);
  return hf_enforced_error(&e->verdict) != 0;
}

/* The same, of a file. */
static __always_inline int judge_marked(__u64 id, __u32 way, __u64 target) {
  struct decision_slot *slot = take_slot();
  int refused;
  if (!slot) return 1;
  refused = judge_mark(slot, id, way, target);
  give_back(slot);
  return refused;
}

/* ---- the attribute ------------------------------------------------------------------------------------------- */

static __always_inline int refuse_mark(struct decision_slot *slot) {
  hf_refuse_plain(&slot->event.verdict, HF_REASON_MARK);
  report(&slot->event);
  return 1;
}

/* Not 0: the attribute stays as it is. Where a full map leaves a file unmarked, that is closed. */
static __noinline int change_mark(struct decision_slot *slot, struct dentry___mark *dentry, __u64 name, __u32 way) {
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  __u64 cgroup = cgroup_of_dentry((const struct dentry___cg *)dentry);
  __u64 id, had, target = BPF_CORE_READ(inode, i_ino);
  struct hf_file_key key = {};
  if (!slot) return 1;
  if (find_mark(slot, name)) return 1;
  if (!slot->mark.id) return 0;
  if (judge_mark(slot, slot->mark.id, way, target)) return 1;
  id = way == HF_WAY_MARK_SET ? slot->mark.id : 0;
  if (cgroup) {
    target = cgroup_id(cgroup);
    if (bpf_map_update_elem(&marked_cgroups, &target, &id, BPF_ANY)) return refuse_mark(slot);
    __sync_fetch_and_add(&mark_epoch, 1);
    return 0;
  }
  name_file(&key, inode);
  had = mark_of_file(inode);
  if (!id) {
    if (had == slot->mark.id) bpf_map_delete_elem(&marked_files, &key);
    return 0;
  }
  /* Who has it open for writing could change it later, and a second mark would hide the first. */
  if (!can_carry(inode) || BPF_CORE_READ(inode, i_writecount.counter) > 0) return refuse_mark(slot);
  if (had && had != id) return refuse_mark(slot);
  return bpf_map_update_elem(&marked_files, &key, &id, BPF_ANY) ? refuse_mark(slot) : 0;
}

static __always_inline int change_attribute(struct dentry___mark *dentry, __u64 name, __u32 way) {
  struct decision_slot *slot = take_slot();
  int refused;
  if (!slot) return 1;
  refused = change_mark(slot, dentry, name, way);
  give_back(slot);
  return refused;
}

SEC("lsm/inode_setxattr")
int BPF_PROG(mark_set_xattr, void *idmap, struct dentry___mark *dentry, const char *name) {
  if (!mark_rules) return 0;
  return hf_answer(change_attribute(dentry, (__u64)name, HF_WAY_MARK_SET));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(mark_remove_xattr, void *idmap, struct dentry___mark *dentry, const char *name) {
  if (!mark_rules) return 0;
  return hf_answer(change_attribute(dentry, (__u64)name, HF_WAY_MARK_REMOVE));
}

static __noinline int learn_mark(struct decision_slot *slot, struct dentry___mark *dentry, __u64 name) {
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  struct hf_file_key key = {};
  if (!slot || find_mark(slot, name) || !slot->mark.id || !can_carry(inode)) return 0;
  name_file(&key, inode);
  bpf_map_update_elem(&marked_files, &key, &slot->mark.id, BPF_NOEXIST);
  return 0;
}

/* The daemon, which has just read it, reads it again. */
SEC("lsm/inode_getxattr")
int BPF_PROG(mark_get_xattr, struct dentry___mark *dentry, const char *name) {
  struct decision_slot *slot;
  __u32 zero = 0;
  __u32 *learner;
  if (!mark_rules) return 0;
  learner = bpf_map_lookup_elem(&mark_learner, &zero);
  if (!learner || !*learner || *learner != bpf_get_current_pid_tgid() >> 32) return 0;
  slot = take_slot();
  if (!slot) return 0;
  learn_mark(slot, dentry, (__u64)name);
  give_back(slot);
  return 0;
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

/*
 * Whoever opens a file for writing, cuts it, or truncates it by its name, is asked with MAY_WRITE. Called from the
 * program that answers moves, so that opening a file costs no second one. Who only asks (access()) does not write.
 */
static __noinline int may_write(struct inode___mark *inode, int mask) {
  __u64 id = mask & MAY_ACCESS ? 0 : mark_of_file(inode);
  if (!id) return 0;
  return judge_marked(id, HF_WAY_MARK_WRITE, BPF_CORE_READ(inode, i_ino));
}

/* A file that loses its last name is forgotten before its number can be another's. */
static __always_inline void forget_last(struct dentry___mark *dentry) {
  struct inode___mark *inode = BPF_CORE_READ(dentry, d_inode);
  struct hf_file_key key = {};
  if (!inode || BPF_CORE_READ(inode, i_nlink) > 1) return;
  name_file(&key, inode);
  bpf_map_delete_elem(&marked_files, &key);
}

SEC("lsm/inode_unlink")
int BPF_PROG(mark_unlink, void *directory, struct dentry___mark *dentry) {
  if (mark_rules) forget_last(dentry);
  return 0;
}

SEC("lsm/inode_rename")
int BPF_PROG(mark_rename, void *from, struct dentry___mark *old, void *to, struct dentry___mark *replaced) {
  if (mark_rules) forget_last(replaced);
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
 * Room for what the task will be, while the exec can still be refused. A tracer, or somebody who shares its
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
      judge_marked(id, HF_WAY_MARK_EXEC, BPF_CORE_READ(inode, i_ino)))
    return 1;
  if (had) return 0;
  if (!bpf_map_update_elem(&marked_tasks, &current, &none, BPF_NOEXIST)) return 0;
  hf_count_undecided(&cgroup_totals.decisions);
  return 1;
}

/* Asked in each round: of a script, last about its interpreter, which is what runs. */
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
int BPF_PROG(mark_fork, void *task) {
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
int BPF_PROG(mark_task_end, void *task) {
  __u64 key = (__u64)task;
  if (mark_rules) bpf_map_delete_elem(&marked_tasks, &key);
  return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(mark_trace, void *child, unsigned int mode) {
  __u64 tracer = bpf_get_current_task();
  __u64 key = (__u64)child;
  __u64 *id, *own;
  if (!mark_rules || !(mode & PTRACE_MODE_ATTACH)) return 0;
  id = bpf_map_lookup_elem(&marked_tasks, &key);
  if (!id || !*id) return 0;
  own = bpf_map_lookup_elem(&marked_tasks, &tracer);
  if (own && *own == *id) return 0;
  return hf_answer(judge_marked(*id, HF_WAY_PTRACE, 0));
}

#endif /* HOLDFAST_BPF_MARK_BPF_H */
