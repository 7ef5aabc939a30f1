/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Adoption: the namespaces that the blocked child made for itself become tracked.
 *
 * User space knows them by descriptor and number; the record also needs their addresses. This iterator,
 * restricted to the child, finds each number that user space asked for (adopt_inum) among the child's
 * own namespaces and records it. User space holds the descriptors meanwhile, so no number changes hands.
 */
#ifndef HOLDFAST_BPF_RUN_ADOPT_BPF_H
#define HOLDFAST_BPF_RUN_ADOPT_BPF_H

#include "bpf/run/maps.bpf.h"
#include "bpf/namespaces/held.bpf.h"
#include "bpf/namespaces/tracked.bpf.h"

static __always_inline void hf_adopt(struct hf_session *s, const struct ns_common *ns, __u32 bit) {
  struct hf_owner of[HF_TRACKED_OWNERS] = {{s->adopt_set, s->adopt_owner}};
  __u32 inum = 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (!inum || s->adopt_inum[bit] != inum) return;
  if (hf_track(ns, 1u << bit, of)) return;
  s->adopt_found |= 1u << bit;
}

#define HF_ADOPT(slot, bit) \
  do { \
    typeof(proxy->slot) ns_ = 0; \
    bpf_core_read(&ns_, sizeof(ns_), &proxy->slot); \
    if (ns_) hf_adopt(s, &ns_->ns, bit); \
  } while (0)

SEC("iter/task")
int hf_adopt_child(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  struct hf_session *s = hf_session();
  struct nsproxy *proxy = 0;
  const struct cred *cred = 0;
  struct user_namespace *user = 0;
  struct pid_namespace *pid_ns;
  if (!task || !s) return 0;
  bpf_core_read(&proxy, sizeof(proxy), &task->nsproxy);
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  if (!proxy || !cred) return 0;
  HF_ADOPT(mnt_ns, 0);
  HF_ADOPT(uts_ns, 1);
  HF_ADOPT(ipc_ns, 2);
  HF_ADOPT(pid_ns_for_children, 4);
  HF_ADOPT(net_ns, 5);
  HF_ADOPT(cgroup_ns, 6);
  HF_ADOPT(time_ns, 7);
  HF_ADOPT(time_ns_for_children, 7);
  bpf_core_read(&user, sizeof(user), &cred->user_ns);
  if (user) hf_adopt(s, &user->ns, 3);
  pid_ns = hf_active_pid_ns(task);
  if (pid_ns) hf_adopt(s, &pid_ns->ns, 4);
  return 0;
}

/* The task's process, as the reader of the iterator numbers it. 0: it has no number there. */
static __always_inline __u32 hf_process_number(struct task_struct *task, __u32 level) {
  struct task_struct *leader = 0;
  struct pid *pid = 0;
  __u32 number = 0, depth = 0;
  bpf_core_read(&leader, sizeof(leader), &task->group_leader);
  if (leader) bpf_core_read(&pid, sizeof(pid), &leader->thread_pid);
  if (!pid || bpf_core_read(&depth, sizeof(depth), &pid->level) || level > depth) return 0;
  bpf_probe_read_kernel(&number, sizeof(number), (void *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
  return number;
}

/* Lists the members: one __u32 process number for each of their threads. */
SEC("iter/task")
int hf_list_members(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  struct task_struct *reader = (struct task_struct *)bpf_get_current_task();
  struct pid *pid = 0;
  __u64 address = 0;
  __u32 level = 0, number;
  if (!task) return 0;
  /* The key is a number, not a typed pointer: the copy through memory makes it one. */
  bpf_probe_read_kernel(&address, sizeof(address), &task);
  if (!hf_member_of(address)) return 0;
  bpf_core_read(&pid, sizeof(pid), &reader->thread_pid);
  if (!pid || bpf_core_read(&level, sizeof(level), &pid->level)) return 0;
  number = hf_process_number(task, level);
  bpf_seq_write(ctx->meta->seq, &number, sizeof(number));
  return 0;
}

#endif /* HOLDFAST_BPF_RUN_ADOPT_BPF_H */
