/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moves between cgroups, decided on kernels that have no hook for them.
 *
 * All three ways (a write to cgroup.procs or cgroup.threads, clone3 with CLONE_INTO_CGROUP) hold
 * cgroup_mutex and call cgroup_attach_permissions(src, dst, ...), which asks inode_permission()
 * once for the common ancestor's cgroup.procs, after its own checks of ownership. So:
 *
 *     clone3:  lsm/task_alloc           remembers the child, by its parent
 *     write:   fexit procs_write_start  remembers the task that was named
 *     both:    fentry attach_permissions  collects the facts and decides
 *              lsm/inode_permission       answers; a refusal leaves everything where it was
 *              fexit attach_permissions   forgets
 *
 * fentry and fexit programs are skipped when a task was preempted inside the same program on the
 * same processor. Here that would be a task that holds cgroup_mutex, and the second one would need
 * it to get here: it cannot happen. LSM programs are never skipped. For the same reason one global
 * `call` will do.
 *
 * What is never looked at is the system call: the writer may be an io_uring worker, which has none.
 */
#include "bpf/lib/decide.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "bpf/lib/prototype.bpf.h"

#include "bpf/machine/bpf_border.bpf.h"
#include "bpf/machine/bpf_take_over.bpf.h"
#include "bpf/machine/cgroup_delegation.bpf.h"
#include "bpf/machine/cgroup_maps.bpf.h"
#include "bpf/machine/cgroup_path.bpf.h"
#include "bpf/machine/container.bpf.h"
#include "bpf/lib/decision_points.h"
#include "bpf/machine/machine_helper.bpf.h"
#include "bpf/machine/machine_label.bpf.h"
#include "bpf/machine/machine_namespace.bpf.h"
#include "bpf/machine/machine_socket.bpf.h"
#include "bpf/machine/mark.bpf.h"
#include "bpf/machine/session_adopt.bpf.h"
#include "bpf/machine/session_moves.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAX_THREADS 65536 /* of one process; more are refused where threads may be in several cgroups */

struct cgroup_call {
  __u64 inside; /* the task that is in attach_permissions; 0: none */
  __u64 named;  /* the task that a write named, */
  __u64 namer;  /* and who wrote */
  __u32 clone;  /* 1: the task is a clone3 child */
  __u32 answered;
  struct hf_event event; /* what is answered and reported */
  struct hf_event other; /* scratch: a thread that is not in its leader's cgroup */
};

/*
 * Moves by which the daemon finds out whether these programs are asked and obeyed: into its own cgroup, by itself. Each is
 * refused, by each way, and neither counted nor reported. Written by user space before.
 */
struct {
  __u64 nonce;    /* 0: none is under way */
  __u64 answered; /* the nonce of the last move that was refused */
  __u64 cgroup;
  __u32 tgid;
  __u32 pad0;
} cgroup_probe;

/*
 * Calls by which the daemon finds out whether the kernel calls these programs and obeys them: it may attach them and never
 * call them (before 7.3 with kernel.ftrace_enabled=0). Each is refused, and neither counted nor reported. Attached with
 * every family. Written by user space before.
 */
struct {
  __u64 nonce;    /* 0: none is under way */
  __u64 answered; /* the nonce of the last call that was refused */
  __u64 cookie;   /* of the socket that is shut down */
} call_probe;

SEC("lsm/socket_shutdown")
int BPF_PROG(machine_probe, struct socket *sock, int how) {
  struct sock *sk;
  if (!call_probe.nonce) return 0;
  sk = sock->sk;
  if (!sk || bpf_get_socket_cookie(sk) != call_probe.cookie) return 0;
  call_probe.answered = call_probe.nonce;
  return -HF_EPERM;
}

/* For user space: the families of programs that are attached as a whole (backend/lsm/machine/families.h). */
__u32 live_families;

static struct cgroup_call call;

/* The child of a clone3 that is under way, by its parent. Room for every task (map_room.h). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TASK_ROOM_LEAST);
  __type(key, __u64);
  __type(value, __u64);
} cgroup_clones SEC(".maps");

/* ---- the decision
 * ------------------------------------------------------------------------------------ */

/* Written by user space as namespace_rules is: does a profile allow moves within delegated cgroups? */
__u32 delegation_rules;

struct shared_ancestor {
  __u64 src;
  __u64 dst;
  __u32 delegated;
  __u32 pad0;
};

/* Does one delegated subtree hold both? Its root is an ancestor of both, or one of them. */
static long find_delegation(__u32 level, void *context) {
  struct shared_ancestor *w = context;
  __u64 ancestor = path_ancestor(w->src, level);
  __u64 id;
  __u8 *mark;
  if (!ancestor || ancestor != path_ancestor(w->dst, level)) return 1;
  id = cgroup_id(ancestor);
  mark = bpf_map_lookup_elem(&cgroup_delegated, &id);
  if (!mark || !*mark) return 0;
  w->delegated = 1;
  return 1;
}

static __noinline int share_delegation(__u64 src, __u64 dst) {
  struct shared_ancestor shared = {.src = src, .dst = dst};
  bpf_loop(cgroup_level(src) + 1, find_delegation, &shared, 0);
  return shared.delegated;
}

/* Fills what the source and the moved task say. Returns 0, or -1 when a fact is missing. */
static __noinline int gather_source(struct hf_event *e, __u64 generation, __u64 moved, __u64 src, __u64 dst) {
  __u16 marked = profile_of_task_mark(generation, moved);
  struct hf_known_profile known;
  if (!e) return -1;
  e->source = cgroup_id(src);
  e->request.flags &= ~(HF_REQ_SAME_CGROUP | HF_REQ_DELEGATED);
  if (src == dst) e->request.flags |= HF_REQ_SAME_CGROUP;
  if (delegation_rules && share_delegation(src, dst)) e->request.flags |= HF_REQ_DELEGATED;
  if (find_known(&known, generation, src)) return -1;
  __builtin_memcpy(e->request.src_chain, known.chain, sizeof(known.chain));
  e->request.object = marked ? marked : known.chain[0];
  return 0;
}

/* Returns 0, or -1 when a fact is missing. */
static __noinline int gather(struct hf_event *e, __u64 generation, __u64 moved, __u64 src, __u64 dst) {
  struct hf_known_profile known;
  int mover;
  if (!e || !moved) return -1;
  e->target = cgroup_id(dst);
  mover = mover_now(generation);
  if (mover < 0) return -1;
  e->request.subject = mover;
  if (find_known(&known, generation, dst)) return -1;
  __builtin_memcpy(e->request.dst_chain, known.chain, sizeof(known.chain));
  return gather_source(e, generation, moved, src, dst);
}

/* ---- threads elsewhere
 * -------------------------------------------------------------------------------- */

/*
 * A write to cgroup.procs moves every thread, wherever in a threaded subtree it is; the kernel
 * checks the leader's cgroup alone. Each cgroup that a thread is in is decided as a source of its
 * own, and the first refusal that is enforced decides the move.
 */
struct thread_scan {
  const struct hf_tables *tables;
  __u64 first; /* the list's head */
  __u64 next;
  __u64 seen; /* the cgroup decided last */
  __u64 dst;
};

static __u64 list_next(__u64 node) { return (__u64)BPF_CORE_READ((struct list_head___cg *)node, next); }

static long decide_thread(__u32 step, void *context) {
  struct thread_scan *scan = context;
  struct hf_event *other = &call.other;
  struct task_struct___cg *none = 0;
  const struct hf_tables *tables = scan->tables;
  __u64 task = scan->next - (__u64)__builtin_preserve_access_index(&none->thread_node);
  __u64 cgroup = cgroup_of(task);
  if (scan->next == scan->first || !tables) return 1;
  scan->next = list_next(scan->next);
  if (cgroup == scan->seen) return 0;
  scan->seen = cgroup;
  __builtin_memcpy(other, &call.event, sizeof(*other));
  __builtin_memset(&other->verdict, 0, sizeof(other->verdict));
  describe_task(&other->object, task);
  if (!cgroup || gather_source(other, tables->generation, task, cgroup, scan->dst))
    refuse_without_facts(other);
  else
    decide_move(tables, other);
  if (other->verdict.action != HF_DENY) return 0;
  if (call.event.verdict.action == HF_DENY && other->verdict.mode == HF_MODE_AUDIT) return 0;
  __builtin_memcpy(&call.event, other, sizeof(*other));
  return other->verdict.mode == HF_MODE_ENFORCE;
}

static __noinline int decide_threads(const struct hf_tables *tables, __u64 moved, __u64 src, __u64 dst) {
  struct task_struct___cg *task = (struct task_struct___cg *)moved;
  struct signal_struct___cg *signal = 0;
  struct thread_scan scan = {.tables = tables, .seen = src, .dst = dst};
  if (!tables) return 0;
  bpf_core_read(&signal, sizeof(signal), &task->signal);
  scan.first = (__u64)__builtin_preserve_access_index(&signal->thread_head);
  scan.next = list_next(scan.first);
  bpf_loop(MAX_THREADS, decide_thread, &scan, 0);
  if (scan.next != scan.first && call.event.verdict.action != HF_DENY) refuse_without_facts(&call.event);
  return 0;
}

static int has_threaded_children(__u64 cgroup) {
  return BPF_CORE_READ((struct cgroup___cg *)cgroup, dom_cgrp, nr_threaded_children) > 0;
}

/* ---- the hook
 * ------------------------------------------------------------------------------------------- */

/* The task that is moved; 0: not known. */
static __u64 find_moved(void) {
  __u64 current = bpf_get_current_task();
  __u64 *child = bpf_map_lookup_elem(&cgroup_clones, &current);
  /* A clone under way goes first: what a write named may be left over from cgroup v1, a clone is
   * not. */
  call.clone = child != 0;
  if (child) return *child;
  return call.namer == current ? call.named : 0;
}

/* When, and which tasks. Most moves are allowed and not reported, and are spared it. */
static __noinline int describe_move(struct hf_event *e, __u64 moved) {
  if (!e || e->time_ns) return 0;
  e->time_ns = bpf_ktime_get_boot_ns();
  describe_task(&e->actor, bpf_get_current_task());
  if (moved) describe_task(&e->object, moved);
  return 0;
}

/* A kernel that has the hook for moves as it was proposed passes the moved task first. */
HF_PROG_AFTER(struct task_struct *, "fentry/" HF_MOVE_ASKED, cgroup_capture, struct cgroup___cg *src_cgroup,
              struct cgroup___cg *dst_cgroup, struct super_block *sb, __u8 threadgroup, struct cgroup_namespace *ns) {
  const struct hf_tables *tables = live_tables();
  struct hf_event *e = &call.event;
  __u64 moved = find_moved();
  __u32 scattered = threadgroup && !call.clone;
  __u64 src = 0, dst = 0;
  bpf_probe_read_kernel(&src, sizeof(src), &src_cgroup); /* numbers from here on */
  bpf_probe_read_kernel(&dst, sizeof(dst), &dst_cgroup);

  begin_facts(e, tables);
  if (threadgroup) e->request.flags = HF_REQ_THREADGROUP;
  e->request.via = call.clone ? HF_VIA_CLONE_INTO_CGROUP : threadgroup ? HF_VIA_CGROUP_PROCS : HF_VIA_CGROUP_THREADS;
  if (!tables || gather(e, e->generation, moved, src, dst)) {
    refuse_without_facts(e);
  } else {
    decide_move(tables, e);
    if (scattered && has_threaded_children(src)) {
      describe_move(e, moved);
      decide_threads(tables, moved, src, dst);
    }
  }
  if (e->verdict.action == HF_DENY || e->verdict.log || cgroup_probe.nonce) describe_move(e, moved);
  /* Another policy may ask for it, when the event is decided again. */
  if (!delegation_rules && e->verdict.log && share_delegation(src, dst)) e->request.flags |= HF_REQ_DELEGATED;
  session_moves.count = 0;
  if (sessions_live) decide_in_sessions(e, moved, src, dst, scattered && has_threaded_children(src));
  call.answered = 0;
  call.inside = bpf_get_current_task();
  return 0;
}

HF_PROG_IDMAP("lsm/inode_permission", cgroup_enforce, struct inode *inode, int mask) {
  struct hf_event *e = &call.event;
  /* Two tests that almost every call of this hook fails, the cheaper one first. */
  if (mask != HF_MAY_WRITE || call.inside != bpf_get_current_task()) return 0;
  if (call.answered) return 0;
  call.answered = 1;
  if (cgroup_probe.nonce && e->target == cgroup_probe.cgroup && e->actor.tgid == cgroup_probe.tgid) {
    cgroup_probe.answered = cgroup_probe.nonce;
    return -HF_EPERM;
  }
  report(e);
  return hf_answer(answer_for_sessions() || hf_enforced_error(&e->verdict));
}

HF_PROG_RESULT_AFTER(struct task_struct *, "fexit/" HF_MOVE_ASKED, cgroup_release, struct cgroup___cg *src,
                     struct cgroup___cg *dst, struct super_block *sb, __u8 threadgroup, struct cgroup_namespace *ns,
                     int ret) {
  __u64 current = bpf_get_current_task();
  if (ret == 0 && !call.answered) count(&cgroup_totals.unasked);
  if (call.clone) bpf_map_delete_elem(&cgroup_clones, &current);
  call.inside = 0;
  call.named = 0;
  call.namer = 0;
  return 0;
}

/* ---- who is moved
 * -------------------------------------------------------------------------------------- */

SEC("fexit/" HF_MOVE_NAMED)
int HF_PROG_RESULT(cgroup_named, char *buf, __u8 threadgroup, struct hf_unread *lock, struct task_struct *task) {
  if ((__u64)task >= (__u64)-HF_MAX_ERRNO) return 0;
  call.named = (__u64)task;
  call.namer = bpf_get_current_task();
  return 0;
}

SEC("lsm/task_alloc")
int HF_PROG_RESULT(cgroup_clone, struct task_struct *task, unsigned long clone_flags, int ret) {
  __u64 parent = bpf_get_current_task();
  __u64 child = (__u64)task;
  if (ret) return ret;
  if (!(clone_flags & HF_CLONE_INTO_CGROUP)) return 0;
  if (bpf_map_update_elem(&cgroup_clones, &parent, &child, BPF_ANY)) return -HF_EAGAIN;
  return 0;
}

/* A fork that failed frees its task in the parent: what was remembered must not outlive it. */
SEC("lsm/task_free")
int BPF_PROG(cgroup_forget, struct task_struct *task) {
  __u64 parent = bpf_get_current_task();
  __u64 *child = bpf_map_lookup_elem(&cgroup_clones, &parent);
  if (child && *child == (__u64)task) bpf_map_delete_elem(&cgroup_clones, &parent);
  return 0;
}
