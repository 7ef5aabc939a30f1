/* SPDX-License-Identifier: Apache-2.0 */
/* A workload's own program: counts what leaves its cgroup. Knows nothing of delegation. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} packets SEC(".maps");

SEC("cgroup_skb/egress")
int count_packet(struct __sk_buff* packet) {
  __u32 zero = 0;
  __u64* count = bpf_map_lookup_elem(&packets, &zero);
  if (count) __sync_fetch_and_add(count, 1);
  return 1;
}

char LICENSE[] SEC("license") = "GPL";
