/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Namespaces made and entered, and tasks traced, by the profile of the cgroup that the task is in.
 *
 * The decision points are those of a run (namespace.bpf.h says why they cannot be got around): capable() for
 * setns, unshare and the mount calls, task_alloc for clone, userns_create. What is different is who a task is:
 * here its cgroup says so, whose path is read when it is asked. Nothing is remembered of a task, so a child, a
 * thread, an exec or a move to another cgroup needs no code.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H

#include "bpf/lib/answer.bpf.h"
#include "bpf/machine/known_profile.bpf.h"
#include "bpf/machine/machine_report.bpf.h"
#include "bpf/lib/namespace_types.bpf.h"
#include "bpf/lib/syscall.bpf.h"

#define PTRACE_MODE_ATTACH 0x02
#define SPEAK 0u
#define SPEAK_OF_REFUSALS 1u /* an earlier decision point of the same call has spoken */

/* Calls that ask twice, by task: the second time says nothing. Losing an entry means an event too many. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, __u64);
} namespace_asked SEC(".maps");

/* Written by user space before a policy with such rules becomes live: 0 spares everybody the walk. */
__u32 namespace_rules;

#define NAMESPACE_HOOKS \
  (1u << HF_OP_NAMESPACE_ALLOC | 1u << HF_OP_NAMESPACE_INSTALL | 1u << HF_OP_TRACE | 1u << HF_OP_MARK)

/* A global function: verified once, and what it writes is unknown to its callers (decision.bpf.h). */
__noinline int judge_namespace(struct hf_tables *tables, struct hf_request *r, struct hf_verdict *v) {
  if (!tables || !r || !v) return -1;
  hf_decide_some(tables, r, NAMESPACE_HOOKS, v);
  return 0;
}

/* What is asked, and of whom. */
struct question {
  struct parties parties;
  __u32 ns_types;
  __u32 voice;
  __u16 op;
  __u16 via;
  __u16 subject_profile;
  __u16 object_profile;
  __u32 unknown; /* 1: somebody's profile cannot be told, which is a refusal */
  __u32 pad0;
};

/* Decides, counts and reports. Not 0: refused. A frame of its own: paths are read before, and not on top of it. */
static __noinline int answer_question(const struct hf_tables *tables, const struct question *q) {
  struct hf_request r = {};
  struct hf_verdict v = {};
  int refused;
  if (!tables || !q) return 1;
  r.op = q->op;
  r.via = q->via;
  r.ns_types = q->ns_types;
  r.subject = q->subject_profile;
  r.object = q->object_profile;
  if (q->unknown) r.flags |= HF_REQ_FACTS_MISSING;
  if (judge_namespace((struct hf_tables *)tables, &r, &v)) {
    r.flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(&v, HF_REASON_FACTS_MISSING);
  }
  refused = hf_enforced_error(&v) != 0;
  if (q->voice == SPEAK || refused) tell(&r, &v, &q->parties);
  return refused;
}

/* Not 0: no policy is live, which is counted. */
static __always_inline int nothing_live(const struct hf_tables *tables) {
  if (tables) return 0;
  hf_count_undecided(&cgroup_totals.decisions);
  return 1;
}

/* Who is nobody's is asked nothing, and needs nothing: whatever others do, he is not refused. */
static __always_inline int decide_question(struct question *q) {
  const struct hf_tables *tables = live_tables();
  int subject, object = 0;
  if (nothing_live(tables)) return 1;
  q->parties.generation = tables->generation;
  subject = profile_now(tables->generation, q->parties.actor ? q->parties.actor : bpf_get_current_task());
  if (!subject) return 0;
  if (q->parties.object) object = profile_now(tables->generation, q->parties.object);
  q->unknown = subject < 0 || object < 0;
  q->subject_profile = subject < 0 ? 0 : subject;
  q->object_profile = object < 0 ? 0 : object;
  return answer_question(tables, q);
}

static __noinline int decide_namespace(__u32 hook, __u32 way, __u32 types, __u32 voice) {
  struct question q = {.op = hook, .via = way, .ns_types = types, .voice = voice};
  return decide_question(&q);
}

static __always_inline int decide_creation(__u32 way, __u32 types, __u32 voice) {
  if (!types) return 0;
  return decide_namespace(HF_OP_NAMESPACE_ALLOC, way, types, voice);
}

/* Has this task's call, known by a number of its own, just been spoken of? Every second time. */
static __always_inline __u32 voice_of(__u64 call) {
  __u64 task = bpf_get_current_task();
  __u64 *asked = bpf_map_lookup_elem(&namespace_asked, &task);
  if (asked && *asked == call) {
    *asked = 0;
    return SPEAK_OF_REFUSALS;
  }
  bpf_map_update_elem(&namespace_asked, &task, &call, BPF_ANY);
  return SPEAK;
}

/* A user namespace is asked about once, every other type twice; which one it is, only the caller may say. */
static __always_inline int decide_setns(const struct hf_call_args *a) {
  __u32 flags = (__u32)a->arg[1];
  __u32 voice = SPEAK;
  if (flags && !(flags & HF_CLONE_NEWUSER)) voice = voice_of(a->arg[0] << 32 | flags);
  return decide_namespace(HF_OP_NAMESPACE_INSTALL, HF_VIA_SETNS, hf_types_of_flags(flags), voice);
}

static __always_inline int decide_unshare(__u64 flags) {
  __u32 voice = SPEAK;
  if (flags & HF_CLONE_NEWUSER)
    voice = SPEAK_OF_REFUSALS; /* userns_create has spoken */
  else if (flags & HF_CLONE_NEWCGROUP)
    voice = voice_of(1ull << 63 | (__u32)flags);
  return decide_creation(HF_VIA_UNSHARE, hf_types_of_unshare(flags), voice);
}

SEC("lsm/capable")
int BPF_PROG(machine_capable, void *cred, void *ns, int cap) {
  struct hf_call_args a = {};
  int refused = 0;
  if (cap != HF_CAP_SYS_ADMIN || !namespace_rules) return 0;
  hf_read_call(&a);
  if (a.syscall == HF_SYSCALL_SETNS)
    refused = decide_setns(&a);
  else if (a.syscall == HF_SYSCALL_UNSHARE)
    refused = decide_unshare(a.arg[0]);
  else if (hf_mounts_namespace(&a))
    refused = decide_creation(HF_VIA_MOUNT, HF_NS_MNT, SPEAK);
  return hf_answer(refused);
}

/* In the parent, before namespaces are copied and before the child is in any cgroup but its parent's. */
SEC("lsm/task_alloc")
int BPF_PROG(machine_clone, void *task, unsigned long clone_flags) {
  if (!namespace_rules) return 0;
  return hf_answer(decide_creation(HF_VIA_CLONE, hf_types_of_flags(clone_flags), SPEAK));
}

/* Of clone and clone3 task_alloc speaks, which knows all the flags. */
SEC("lsm/userns_create")
int BPF_PROG(machine_userns, void *cred) {
  struct hf_call_args a = {};
  if (!namespace_rules) return 0;
  hf_read_call(&a);
  if (a.syscall == HF_SYSCALL_UNSHARE)
    return hf_answer(decide_creation(HF_VIA_UNSHARE, hf_types_of_unshare(a.arg[0]), SPEAK));
  return hf_answer(decide_creation(HF_VIA_CLONE, HF_NS_USER, SPEAK_OF_REFUSALS));
}

static __noinline int decide_tracing(__u64 tracer, __u64 tracee) {
  struct question q = {.op = HF_OP_TRACE, .via = HF_VIA_PTRACE, .voice = SPEAK};
  q.parties.actor = tracer;
  q.parties.object = tracee;
  return decide_question(&q);
}

/* ptrace, process_vm_readv and writev, pidfd_getfd, /proc/PID/mem: whoever makes another task act acts as it. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(machine_trace, void *child, unsigned int mode) {
  if (!namespace_rules || !(mode & PTRACE_MODE_ATTACH)) return 0;
  return hf_answer(decide_tracing(bpf_get_current_task(), (__u64)child));
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(machine_traceme, void *parent) {
  if (!namespace_rules) return 0;
  return hf_answer(decide_tracing((__u64)parent, bpf_get_current_task()));
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H */
