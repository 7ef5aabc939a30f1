// SPDX-License-Identifier: Apache-2.0
// The decision as BPF: a batch of requests in, their verdicts out.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "core/decide.h"

#define BATCH 64u

struct batch {
  struct hf_request requests[BATCH];
  struct hf_verdict verdicts[BATCH];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_tables);
} tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct batch);
} batches SEC(".maps");

/* For its type alone: a test compares the layouts in this object with those of user space. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_event);
} event_layout SEC(".maps");

static __always_inline const struct hf_tables* the_tables(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&tables, &zero);
}

/* Global functions, so that each is verified once and on its own. */
__noinline int decide_namespaces(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, HF_TASK_OPS, v);
  return 0;
}

__noinline int decide_attach(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, 1u << HF_OP_CGROUP_ATTACH, v);
  return 0;
}

__noinline int decide_socket(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, 1u << HF_OP_SOCKET, v);
  return 0;
}

__noinline int decide_bpf(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, 1u << HF_OP_BPF, v);
  return 0;
}

__noinline int decide_label(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, 1u << HF_OP_LABEL, v);
  return 0;
}

__noinline int decide_mark(struct hf_request* r, struct hf_verdict* v) {
  const struct hf_tables* t = the_tables();
  if (!t || !r || !v) return -1;
  hf_decide_some(t, r, 1u << HF_OP_MARK, v);
  return 0;
}

static __always_inline int decide_one(struct hf_request* r, struct hf_verdict* v) {
  switch (r->op) {
    case HF_OP_CGROUP_ATTACH:
      return decide_attach(r, v);
    case HF_OP_SOCKET:
      return decide_socket(r, v);
    case HF_OP_BPF:
      return decide_bpf(r, v);
    case HF_OP_LABEL:
      return decide_label(r, v);
    case HF_OP_MARK:
      return decide_mark(r, v);
    default:
      return decide_namespaces(r, v);
  }
}

SEC("syscall")
int decide_batch(void* context) {
  __u32 zero = 0;
  struct batch* batch = bpf_map_lookup_elem(&batches, &zero);
  if (!batch) return -1;
  for (__u32 i = 0; i < BATCH; i++) {
    if (decide_one(&batch->requests[i], &batch->verdicts[i])) return -1;
  }
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
