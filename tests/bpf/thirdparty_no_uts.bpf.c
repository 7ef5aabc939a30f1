// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A stand-in for other people's programs that a command loads: no process makes a UTS namespace. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct ns_common {
  __u32 ns_type; /* which older kernels do not have */
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "GPL";

__u64 refusals = 0;

SEC("lsm/namespace_alloc")
int BPF_PROG(no_uts, struct ns_common* ns) {
  if (ns->ns_type != CLONE_NEWUTS) return 0;
  refusals++;
  return -EPERM;
}
