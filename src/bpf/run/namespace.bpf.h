/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entering and making namespaces: setns, unshare, and the mount calls that make a mount namespace.
 *
 * All of them ask capable(CAP_SYS_ADMIN) before anything is changed, and BPF runs after the capability
 * module, so what is decided here is only what the kernel would have let pass. The errno of a refusal is
 * always EPERM: the kernel's callers turn any other into it.
 *
 * One operation asks more than once (setns of most types twice, unshare once more for a cgroup
 * namespace). Every time is decided afresh; only the first is counted and reported.
 */
#ifndef HOLDFAST_BPF_RUN_NAMESPACE_BPF_H
#define HOLDFAST_BPF_RUN_NAMESPACE_BPF_H

#include "bpf/run/create.bpf.h"

static __always_inline int hf_enter(struct hf_session *s, __u64 task, struct hf_member *member) {
  struct hf_request r = {.op = HF_OP_NAMESPACE_INSTALL, .via = HF_VIA_SETNS};
  struct hf_context context = {.voice = HF_SAY};
  struct hf_call *call = hf_call_of(task);
  int refused;
  if (call && call->address) {
    const struct hf_tracked *record = hf_tracked_find(call->inum, call->address, call->ns_id);
    r.flags |= HF_REQ_TARGET_KNOWN;
    r.ns_types = call->type;
    context.target = call->inum;
    if (record) {
      r.target_set = record->set;
      r.target_owner = record->owner;
    }
    if (call->checks_done) context.voice = HF_SILENT;
    call->checks_done++;
  }
  hf_know_actor(s, task, member, &r, &context);
  refused = hf_conclude(&r, &context);
  /* A capture serves one install: what a later one without captures finds must be nothing. */
  if (call && (refused || call->checks_done >= 2 || call->type == HF_NS_USER)) call->address = 0;
  return refused;
}

/* Has this unshare been spoken of at an earlier point (userns_create, capable)? */
static __always_inline __u32 hf_unshare_voice(__u64 task, __u64 flags) {
  struct hf_call *call = hf_call_of(task);
  struct hf_call fresh = {.syscall = HF_SYSCALL_UNSHARE, .flags = flags};
  __u32 points = 0;
  if (call && call->syscall == HF_SYSCALL_UNSHARE && call->flags == flags && call->points_left) {
    call->points_left--;
    return HF_SILENT;
  }
  if (flags & HF_CLONE_NEWUSER) points++;
  if (flags & HF_CLONE_NEWCGROUP) points++;
  if (hf_types_of_unshare(flags) & ~HF_NS_USER) points++;
  if (points < 2 && !call) return HF_SAY;
  fresh.points_left = points - 1;
  bpf_map_update_elem(&calls, &task, &fresh, BPF_ANY);
  return HF_SAY;
}

/*
 * The points of one unshare see the same flags. Should an unshare that was allowed here fail later in the
 * kernel, an identical next one may go uncounted; a refusal is always counted.
 */
static __always_inline int hf_unshare(struct hf_session *s, __u64 task, struct hf_member *member, __u64 flags) {
  return hf_decide_creation(s, task, member, HF_VIA_UNSHARE, hf_types_of_unshare(flags), hf_unshare_voice(task, flags));
}

SEC("lsm/capable")
int BPF_PROG(hf_capable, const struct cred *cred, struct user_namespace *ns, int cap) {
  __u64 current = bpf_get_current_task();
  struct hf_call_args call = {};
  struct hf_member *member;
  struct hf_session *s;
  int refused = 0;
  if (cap != HF_CAP_SYS_ADMIN) return 0;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_OTHER) return 0;
  s = hf_session();
  if (!s) return -HF_EPERM;
  member = hf_member_of(current);
  if ((!member && !s->any_tracked) || hf_not_yet_ruled(s, member)) return 0;
  if (call.syscall == HF_SYSCALL_SETNS)
    refused = hf_enter(s, current, member);
  else if (call.syscall == HF_SYSCALL_UNSHARE)
    refused = hf_unshare(s, current, member, call.arg[0]);
  else if (hf_mounts_namespace(&call))
    refused = hf_decide_creation(s, current, member, HF_VIA_MOUNT, HF_NS_MNT, HF_SAY);
  return hf_answer(refused);
}

/*
 * For clone and clone3 task_alloc decides again with the exact flags, and it is the one to speak when
 * they are allowed. clone3 has its flags in memory: here only this type is certain.
 */
SEC("lsm/userns_create")
int BPF_PROG(hf_userns_create, const struct cred *cred) {
  __u64 current = bpf_get_current_task();
  struct hf_member *member = hf_member_of(current);
  struct hf_session *s = hf_session();
  struct hf_call_args call = {};
  __u32 types = HF_NS_USER;
  int refused;
  if (!s) return -HF_EPERM;
  if ((!member && !s->any_tracked) || hf_not_yet_ruled(s, member)) return 0;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_UNSHARE) {
    refused = hf_unshare(s, current, member, call.arg[0]);
  } else {
    if (call.syscall == HF_SYSCALL_CLONE) types = hf_types_of_flags((__u32)call.arg[0] & ~HF_CLONE_CSIGNAL);
    refused = hf_decide_creation(s, current, member, HF_VIA_CLONE, types, HF_SILENT);
  }
  return hf_answer(refused);
}

#endif /* HOLDFAST_BPF_RUN_NAMESPACE_BPF_H */
