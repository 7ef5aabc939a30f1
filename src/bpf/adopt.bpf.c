/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Adoption: the namespaces that the blocked child made for itself become tracked.
 *
 * User space knows them by descriptor and number; the record also needs their addresses. This iterator,
 * restricted to the child, finds each number that user space asked for (adopt_inum) among the child's
 * own namespaces and records it. User space holds the descriptors meanwhile, so no number changes hands.
 */
#include "bpf/held.bpf.h"
#include "bpf/track.bpf.h"

static __always_inline void hf_adopt(struct hf_session *s, const struct ns_common *ns, __u32 bit) {
  __u32 inum = 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (!inum || s->adopt_inum[bit] != inum) return;
  if (hf_track(s, ns, 1u << bit, s->adopt_set, s->adopt_owner)) return;
  s->adopt_found |= 1u << bit;
}

#define HF_ADOPT(slot, bit)                           \
  do {                                                \
    typeof(proxy->slot) ns_ = 0;                      \
    bpf_core_read(&ns_, sizeof(ns_), &proxy->slot);   \
    if (ns_) hf_adopt(s, &ns_->ns, bit);              \
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
