// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The enforcer of a bridged namespace_install program.
 *
 * The program itself runs on fentry of the eight *ns_install() functions, and such programs are
 * skipped when another task on the CPU was preempted inside them. So it only leaves a verdict; this
 * program, of type LSM and therefore never skipped, refuses on it, and refuses when there is none.
 * Every *ns_install() asks capable() for CAP_SYS_ADMIN, or CAP_SYS_CHROOT, before it changes
 * anything, and BPF is asked after the capability module, so nothing is allowed here that the
 * kernel would refuse.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "bpf/hooks_verdict.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_info {
  __u32 status;
};
struct task_struct {
  struct thread_info thread_info;
};
struct pt_regs {
  unsigned long orig_ax;
};
#pragma clang attribute pop

enum {
  CAP_SYS_CHROOT = 18,
  CAP_SYS_ADMIN = 21,
  TS_COMPAT = 2, /* the system call came through the 32-bit entry */
  NR_SETNS = 308,
  NR_SETNS_32 = 346,
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load: only tasks of this cgroup's subtree, which is scope[0], are bridged; 0: all. */
const volatile __u64 hf_scope_id = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_HOOK_CALLS);
  __type(key, __u64);
  __type(value, struct hf_hook_verdict);
} verdicts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} scope SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_HOOK_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static __always_inline int refuse(__u32 why) {
  __u64 *count = bpf_map_lookup_elem(&counters, &why);
  if (count) __sync_fetch_and_add(count, 1);
  return -EPERM;
}

static __always_inline bool in_setns(struct task_struct *task) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  unsigned long number = regs->orig_ax;
  if (task->thread_info.status & TS_COMPAT) return number == NR_SETNS_32;
  return number == NR_SETNS;
}

SEC("lsm/capable")
int hooks_install(unsigned long long *ctx) {
  int capability = (int)ctx[2];
  if (capability != CAP_SYS_ADMIN && capability != CAP_SYS_CHROOT) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  if (!in_setns(task)) return 0;

  __u64 key = (__u64)task;
  struct hf_hook_verdict *answer = bpf_map_lookup_elem(&verdicts, &key);
  if (!answer) {
    /* An error of the cgroup test counts as inside. */
    if (hf_scope_id != 0 && bpf_current_task_under_cgroup(&scope, 0) == 0) return 0;
    return refuse(HF_HOOK_NO_ANSWER);
  }
  if (answer->verdict != 0) {
    bpf_map_delete_elem(&verdicts, &key);
    return refuse(HF_HOOK_REFUSED);
  }
  if (answer->uses >= answer->max_uses) {
    bpf_map_delete_elem(&verdicts, &key);
    return refuse(HF_HOOK_NO_ANSWER);
  }
  answer->uses++;
  return 0;
}
