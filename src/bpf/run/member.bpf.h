/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Membership, and creation by clone: what happens when a task is born and when it dies.
 *
 * task_alloc runs in the parent, in copy_process(), before namespaces are copied and before anybody can
 * find the child. Whatever the way of forking (clone3, vfork, a thread, CLONE_PARENT, an io_uring
 * worker), the child is a member from its first instruction, or the fork fails.
 */
#ifndef HOLDFAST_BPF_RUN_MEMBER_BPF_H
#define HOLDFAST_BPF_RUN_MEMBER_BPF_H

#include "bpf/run/confined.bpf.h"
#include "bpf/namespaces/decisions.bpf.h"

#define HF_EAGAIN_FORK 11
#define HF_ENOMEM 12

/* user space: the next fork of the calling thread is a member. */
SEC("syscall")
int hf_arm(void *ctx) {
  struct hf_session *s = hf_session();
  if (!s) return 1;
  s->armed_task = (unsigned long)bpf_get_current_task();
  return 0;
}

/* user space: the calling process is one that the confined may not touch. */
SEC("syscall")
int hf_protect(void *ctx) {
  struct hf_session *s = hf_session();
  __u64 leader = 0;
  __u32 which;
  if (!s) return 1;
  which = s->protected_tgid[0] ? 1 : 0;
  s->protected_tgid[which] = bpf_get_current_pid_tgid() >> 32;
  bpf_core_read(&leader, sizeof(leader), &((struct task_struct *)bpf_get_current_task())->group_leader);
  hf_protected_task[which] = leader;
  return 0;
}

static __always_inline int hf_enrol(const struct task_struct *child, const struct hf_member *as) {
  __u64 key = (unsigned long)child;
  struct hf_member member = *as; /* out of the map: it may be the source of the update */
  return bpf_map_update_elem(&members, &key, &member, BPF_ANY) ? -HF_ENOMEM : 0;
}

SEC("lsm/task_alloc")
int BPF_PROG(hf_task_alloc, struct task_struct *task, unsigned long clone_flags) {
  __u64 current = bpf_get_current_task();
  struct hf_member *member = hf_member_of(current);
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  if (member) {
    if (s->closing) return -HF_EPERM;
    if (hf_enrol(task, member)) return -HF_ENOMEM;
  } else if (s->armed_task == current) {
    s->armed_task = 0;
    if (hf_enrol(task, &s->armed)) return -HF_ENOMEM;
    return 0;
  }
  return hf_answer(hf_ask_clone(clone_flags));
}

/* Also called when the fork fails after task_alloc, and when task_alloc itself refused. */
SEC("lsm/task_free")
int BPF_PROG(hf_task_free, struct task_struct *task) {
  __u64 key = (unsigned long)task;
  bpf_map_delete_elem(&members, &key);
  bpf_map_delete_elem(&calls, &key);
  for (int i = 0; i < 2; i++)
    if (hf_protected_task[i] == key) hf_protected_task[i] = 0; /* the address may become another task's */
  return 0;
}

#endif /* HOLDFAST_BPF_RUN_MEMBER_BPF_H */
