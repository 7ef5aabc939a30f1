/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Iterators that the daemon runs over one task. session_adopt_task makes it a member: the first task of a run, which waits for
 * that and is the only one of its process, or a thread of a container's first process. The namespaces that were made for it
 * become the session's. The daemon knows them by descriptor and number, and a record also needs their addresses; no number
 * changes hands as long as the daemon holds the descriptors. session_find_task tells the daemon which sessions the task is a
 * member of.
 */
#ifndef HOLDFAST_BPF_MACHINE_SESSION_ADOPT_BPF_H
#define HOLDFAST_BPF_MACHINE_SESSION_ADOPT_BPF_H

#include "bpf/machine/machine_namespace.bpf.h"
#include "bpf/machine/session_user.bpf.h"

/* Written by user space before it runs the iterator. */
struct hf_adoption session_adoption;

/* The namespace may belong to sandboxes of outer layers already. Not 0: there is no room. */
static __always_inline long add_session_owner(const struct ns_common *ns, __u32 type) {
  struct hf_owner of[HF_TRACKED_OWNERS] = {};
  const struct hf_tracked *record;
  __u64 ns_id = 0;
  __u32 inum = 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (bpf_core_field_exists(ns->ns_id)) bpf_core_read(&ns_id, sizeof(ns_id), &ns->ns_id);
  record = tracked_find(inum, (unsigned long)ns, ns_id);
  if (record) __builtin_memcpy(of, record->of, sizeof(of));
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_TRACKED_OWNERS; i++) {
    if (of[i].owner && of[i].set == session_adoption.layer.set) return 0; /* of another thread */
    if (of[i].owner) continue;
    of[i].set = session_adoption.layer.set;
    of[i].owner = hf_owner_in_session(session_adoption.layer.slot, session_adoption.layer.profile);
    return track(ns, type, of);
  }
  return -1;
}

/* `user_ns`: whose rights it is under; of a user namespace itself. */
__noinline int adopt_namespace(__u64 address, __u64 user_ns, __u32 bit) {
  const struct ns_common *ns = (const void *)address;
  __u32 inum = 0;
  HF_OPAQUE(bit);
  if (bit >= HF_NS_COUNT) return 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (!inum || session_adoption.inum[bit] != inum || (session_adoption.found & 1u << bit)) return 0;
  if (session_adoption.owner != HF_NO_UID && maker_of_user_ns(user_ns) != session_adoption.owner) {
    session_adoption.refused = HF_ADOPTION_NAMESPACE;
    return 0;
  }
  if (!(session_adoption.own & 1u << bit) || !add_session_owner(ns, 1u << bit)) session_adoption.found |= 1u << bit;
  return 0;
}

#define ADOPT(slot, bit) \
  do { \
    typeof(proxy->slot) ns_ = 0; \
    bpf_core_read(&ns_, sizeof(ns_), &proxy->slot); \
    user = 0; \
    if (ns_) bpf_core_read(&user, sizeof(user), &ns_->user_ns); \
    if (ns_) adopt_namespace((unsigned long)&ns_->ns, (unsigned long)user, bit); \
  } while (0)

static __always_inline void adopt_namespaces(const struct task_struct *task) {
  const struct pid_namespace *pid_ns = active_pid_ns(task);
  const struct user_namespace *user = 0;
  struct nsproxy *proxy = 0;
  const struct cred *cred = 0;
  bpf_core_read(&proxy, sizeof(proxy), &task->nsproxy);
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  if (!proxy || !cred) return;
  ADOPT(mnt_ns, 0);
  ADOPT(uts_ns, 1);
  ADOPT(ipc_ns, 2);
  ADOPT(pid_ns_for_children, 4);
  ADOPT(net_ns, 5);
  ADOPT(cgroup_ns, 6);
  ADOPT(time_ns, 7);
  ADOPT(time_ns_for_children, 7);
  bpf_core_read(&user, sizeof(user), &cred->user_ns);
  if (user) adopt_namespace((unsigned long)&user->ns, (unsigned long)user, 3);
  user = 0;
  if (pid_ns) bpf_core_read(&user, sizeof(user), &pid_ns->user_ns);
  if (pid_ns) adopt_namespace((unsigned long)&pid_ns->ns, (unsigned long)user, 4);
}

/* Where BPF programs of the session may be attached. Ids are never used again. */
static __always_inline void note_home(struct hf_session_state *state, __u64 task) {
  __u64 home = cgroup_of(task);
  state->home = home && cgroup_level(home) > 0 ? cgroup_id(home) : 0;
}

/* Returns HF_JOINED_*. */
static __always_inline __u32 join_session(__u64 task) {
  struct hf_layers *had = bpf_map_lookup_elem(&session_tasks, &task);
  struct hf_layers now = {};
  struct hf_session_state *state;
  __u32 count, slot = session_adoption.layer.slot;
  if (had) now = *had;
  count = now.count;
  HF_OPAQUE(count);
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++)
    if (now.layer[i].set == session_adoption.layer.set) return HF_JOINED_BEFORE;
  if (count >= HF_LAYERS_NESTED) return HF_JOINED_FULL;
  now.layer[count] = session_adoption.layer;
  now.count = count + 1;
  state = session_at(slot);
  if (!state) return HF_JOINED_FULL;
  note_home(state, task);
  /* Counted before the entry, so that it never says that the last one has gone. */
  if (!count_in_session(slot, 1) && !bpf_map_update_elem(&session_tasks, &task, &now, BPF_ANY)) return HF_JOINED_NOW;
  count_in_session(slot, -1ull);
  return HF_JOINED_FULL;
}

SEC("iter/task")
int session_adopt_task(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  __u64 address = 0;
  if (!task || session_adoption.joined) return 0;
  bpf_probe_read_kernel(&address, sizeof(address), &task); /* a number now */
  if (session_adoption.owner != HF_NO_UID) {
    session_adoption.refused = refuse_for_user(address, session_adoption.owner);
    if (session_adoption.refused) return 0;
  }
  adopt_namespaces((const void *)address);
  if (session_adoption.refused) return 0;
  if ((session_adoption.found & session_adoption.wanted) == session_adoption.wanted)
    session_adoption.joined = join_session(address);
  return 0;
}

/* Cleared by user space before it runs the iterator. */
struct hf_layers session_found;
__u32 session_task_seen; /* 1: there is such a task */

SEC("iter/task")
int session_find_task(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  const struct hf_layers *layers;
  __u64 address = 0;
  if (!task || session_task_seen) return 0;
  bpf_probe_read_kernel(&address, sizeof(address), &task); /* a number now */
  layers = bpf_map_lookup_elem(&session_tasks, &address);
  if (layers) session_found = *layers;
  session_task_seen = 1;
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_SESSION_ADOPT_BPF_H */
