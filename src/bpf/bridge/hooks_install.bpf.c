// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Enforces the verdict of a bridged namespace_install program.
 *
 * The bridged program runs on fentry of the eight *ns_install() functions. The kernel skips such a
 * program if another task on the processor was preempted inside it. So it only stores a verdict. This
 * program is of type LSM, so the kernel never skips it. It refuses if the verdict is a refusal, and
 * if there is no verdict. Every *ns_install() calls capable() with CAP_SYS_ADMIN or CAP_SYS_CHROOT
 * before it changes anything. The kernel asks the capability module first, so this program can only
 * refuse more.
 */
#include "bpf/lib/syscall.bpf.h"

#include <linux/errno.h>

#include "bpf/bridge/hooks_verdict.h"
#include "bpf/lib/prototype.bpf.h"

#define CAP_SYS_CHROOT 18

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load: the program applies only to tasks in the subtree of the cgroup in scope[0]; 0: to all. */
const volatile __u64 hf_scope_id = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_OP_CALLS);
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
  __uint(max_entries, HF_OP_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static __always_inline int refuse(__u32 why) {
  __u64 *count = bpf_map_lookup_elem(&counters, &why);
  if (count) __sync_fetch_and_add(count, 1);
  return -EPERM;
}

SEC("lsm/capable")
int BPF_PROG(hooks_install, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options) {
  struct hf_call_args call = {};
  if (capability != HF_CAP_SYS_ADMIN && capability != CAP_SYS_CHROOT) return 0;
  hf_read_call(&call);
  if (call.syscall != HF_SYSCALL_SETNS) return 0;

  __u64 key = (__u64)bpf_get_current_task();
  struct hf_hook_verdict *answer = bpf_map_lookup_elem(&verdicts, &key);
  if (!answer) {
    /* An error of the cgroup test counts as inside. */
    if (hf_scope_id != 0 && bpf_current_task_under_cgroup(&scope, 0) == 0) return 0;
    return refuse(HF_OP_NO_ANSWER);
  }
  if (answer->verdict == 0 && answer->uses < answer->max_uses) {
    /*
     * After the last check of the call the entry is invalid. The program that removes it can be skipped by the kernel,
     * and then the next call would use the entry.
     */
    if (++answer->uses == answer->max_uses) answer->object = 0;
    return 0;
  }
  __u32 why = answer->verdict == 0 ? HF_OP_NO_ANSWER : HF_OP_REFUSED;
  bpf_map_delete_elem(&verdicts, &key);
  return refuse(why);
}
