/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moves between cgroups, decided on kernels that have no hook for them.
 *
 * All three ways (a write to cgroup.procs or cgroup.threads, clone3 with CLONE_INTO_CGROUP) hold
 * cgroup_mutex and call cgroup_attach_permissions(src, dst, ...), which asks inode_permission() once for
 * the common ancestor's cgroup.procs, after its own checks of ownership. So:
 *
 *     clone3:  lsm/task_alloc           remembers the child, by its parent
 *     write:   fexit procs_write_start  remembers the task that was named
 *     both:    fentry attach_permissions  collects the facts and decides
 *              lsm/inode_permission       answers; a refusal leaves everything where it was
 *              fexit attach_permissions   forgets
 *
 * fentry and fexit programs are skipped when a task was preempted inside the same program on the same
 * processor. Here that would be a task that holds cgroup_mutex, and the second one would need it to get
 * here: it cannot happen. LSM programs are never skipped. For the same reason one global `call` will do.
 *
 * What is never looked at is the system call: the writer may be an io_uring worker, which has none.
 */
#include "core/decide.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/cgroup_path.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAY_WRITE 2
#define CLONE_INTO_CGROUP 0x200000000ULL
#define MAX_ERRNO 4095

struct cgroup_call {
  __u64 inside; /* the task that is in attach_permissions; 0: nobody */
  __u64 named;  /* the task that a write named, */
  __u64 namer;  /* and who wrote */
  __u32 clone;  /* 1: the task is a clone3 child */
  __u32 answered;
  struct hf_event event;
};

static struct cgroup_call call;
static struct path_walk walk;

/* Read by user space. Written under cgroup_mutex. */
struct {
  __u64 allowed;
  __u64 denied;
  __u64 audited;
  __u64 errors;
  __u64 lost;
  __u64 unasked; /* the kernel allowed a move and never asked: must stay 0 */
  __u64 events;
} cgroup_totals;

/* Sizes rather than types: 6.1 refuses to replace an inner map by one whose type information differs. */
struct tables_map {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct hf_tables));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct tables_map);
} cgroup_tables SEC(".maps");

/* The child of a clone3 that is under way, by its parent. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, __u64);
  __type(value, __u64);
} cgroup_clones SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} cgroup_events SEC(".maps");

static const struct hf_tables* live_tables(void) {
  __u32 zero = 0;
  void* inner = bpf_map_lookup_elem(&cgroup_tables, &zero);
  if (!inner) return 0;
  return bpf_map_lookup_elem(inner, &zero);
}

/* ---- who ------------------------------------------------------------------------------------------- */

static void describe_task(struct hf_task* to, __u64 address) {
  struct task_struct___cg* task = (struct task_struct___cg*)address;
  to->pid = BPF_CORE_READ(task, pid);
  to->tgid = BPF_CORE_READ(task, tgid);
  /* real_cred: while the kernel checks, cred is that of the descriptor's opener. */
  to->uid = BPF_CORE_READ(task, real_cred, euid.val);
  bpf_core_read_str(to->comm, sizeof(to->comm), &task->comm);
}

static __u64 cgroup_of(__u64 address) {
  return (__u64)BPF_CORE_READ((struct task_struct___cg*)address, cgroups, dfl_cgrp);
}

static __u64 cgroup_id(__u64 address) {
  return BPF_CORE_READ((struct cgroup___cg*)address, kn, id);
}

/* ---- the decision ------------------------------------------------------------------------------------ */

/* Returns 0, or -1 when a fact is missing. */
static __noinline int gather(__u64 generation, __u64 src, __u64 dst, __u64 moved, __u32 threadgroup) {
  struct hf_request* r = &call.event.request;
  __u64 current = bpf_get_current_task();
  __u16 chain[HF_MAX_NEST];

  r->hook = HF_HOOK_CGROUP_ATTACH;
  r->way = call.clone ? HF_WAY_CLONE_INTO_CGROUP
                      : (threadgroup ? HF_WAY_CGROUP_PROCS : HF_WAY_CGROUP_THREADS);
  r->flags = (threadgroup ? HF_REQ_THREADGROUP : 0) | (src == dst ? HF_REQ_SAME_CGROUP : 0);
  if (path_profiles(&walk, generation, cgroup_of(current), chain)) return -1;
  r->subject = chain[0];
  if (path_profiles(&walk, generation, src, r->src_chain)) return -1;
  if (path_profiles(&walk, generation, dst, r->dst_chain)) return -1;
  r->object = r->src_chain[0];
  return moved ? 0 : -1;
}

/* hf_decide() for this one hook: the others' rules would only cost verification time. */
static __noinline void decide(const struct hf_tables* t) {
  struct hf_request* r = &call.event.request;
  struct hf_verdict* v = &call.event.verdict;
  if (!t) return;
  if (t->magic != HF_TABLES_MAGIC || t->version != HF_ABI_VERSION ||
      r->subject >= t->profile_count || r->object >= t->profile_count) {
    hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
    return;
  }
  hf_decide_attach(t, r, v);
  hf_choose_log(t, r, v);
}

SEC("fentry/cgroup_attach_permissions")
int BPF_PROG(cgroup_capture, struct cgroup___cg* src, struct cgroup___cg* dst, void* sb,
             _Bool threadgroup) {
  __u64 current = bpf_get_current_task();
  const struct hf_tables* tables = live_tables();
  __u64* child = bpf_map_lookup_elem(&cgroup_clones, &current);
  struct hf_event* e = &call.event;
  __u64 moved = 0;

  /* A clone under way goes first: what a write named may be left over from cgroup v1, a clone is not. */
  call.clone = child != 0;
  if (child)
    moved = *child;
  else if (call.namer == current)
    moved = call.named;

  __builtin_memset(e, 0, sizeof(*e));
  e->version = HF_ABI_VERSION;
  e->length = sizeof(*e);
  e->time_ns = bpf_ktime_get_boot_ns();
  e->generation = tables ? tables->generation : 0;
  e->source = cgroup_id((__u64)src);
  e->target = cgroup_id((__u64)dst);
  describe_task(&e->actor, current);
  if (moved) describe_task(&e->object, moved);

  if (!tables || gather(e->generation, (__u64)src, (__u64)dst, moved, threadgroup)) {
    e->request.flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(&e->verdict, HF_REASON_FACTS_MISSING);
  } else {
    decide(tables);
  }
  call.answered = 0;
  call.inside = current;
  return 0;
}

static void count(const struct hf_verdict* v) {
  if (v->action != HF_DENY)
    cgroup_totals.allowed++;
  else if (v->mode == HF_MODE_AUDIT)
    cgroup_totals.audited++;
  else
    cgroup_totals.denied++;
  if (v->reason == HF_REASON_FACTS_MISSING || v->reason == HF_REASON_BAD_REQUEST)
    cgroup_totals.errors++;
}

SEC("lsm/inode_permission")
int BPF_PROG(cgroup_enforce, void* inode, int mask, int ret) {
  struct hf_event* e = &call.event;
  /* Two tests that almost every call of this hook fails, the cheaper one first. */
  if (mask != MAY_WRITE) return 0;
  if (call.inside != bpf_get_current_task()) return 0;
  if (call.answered) return 0;
  call.answered = 1;
  count(&e->verdict);
  if (e->verdict.log) {
    e->id = ++cgroup_totals.events;
    if (bpf_ringbuf_output(&cgroup_events, e, sizeof(*e), 0)) cgroup_totals.lost++;
  }
  if (!hf_enforced_error(&e->verdict)) return 0;
  asm volatile(""); /* keeps this a branch: the verifier cannot bound a return that is computed */
  return -HF_EPERM;
}

SEC("fexit/cgroup_attach_permissions")
int BPF_PROG(cgroup_release, struct cgroup___cg* src, struct cgroup___cg* dst, void* sb,
             _Bool threadgroup, void* ns, int ret) {
  __u64 current = bpf_get_current_task();
  if (ret == 0 && !call.answered) cgroup_totals.unasked++;
  if (call.clone) bpf_map_delete_elem(&cgroup_clones, &current);
  call.inside = 0;
  call.named = 0;
  call.namer = 0;
  return 0;
}

/* ---- who is moved -------------------------------------------------------------------------------------- */

SEC("fexit/cgroup_procs_write_start")
int BPF_PROG(cgroup_named, char* buf, _Bool threadgroup, void* lock, void* task) {
  if ((__u64)task >= (__u64)-MAX_ERRNO) return 0;
  call.named = (__u64)task;
  call.namer = bpf_get_current_task();
  return 0;
}

SEC("lsm/task_alloc")
int BPF_PROG(cgroup_clone, void* task, unsigned long clone_flags, int ret) {
  __u64 parent = bpf_get_current_task();
  __u64 child = (__u64)task;
  if (ret) return ret;
  if (!(clone_flags & CLONE_INTO_CGROUP)) return 0;
  if (bpf_map_update_elem(&cgroup_clones, &parent, &child, BPF_ANY)) return -HF_EAGAIN;
  return 0;
}

/* A fork that failed frees its task in the parent: what was remembered must not outlive it. */
SEC("lsm/task_free")
int BPF_PROG(cgroup_forget, void* task) {
  __u64 parent = bpf_get_current_task();
  __u64* child = bpf_map_lookup_elem(&cgroup_clones, &parent);
  if (child && *child == (__u64)task) bpf_map_delete_elem(&cgroup_clones, &parent);
  return 0;
}
