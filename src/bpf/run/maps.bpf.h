/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of a session. Every object declares them here by the same names; the loader makes them once
 * and hands them to all objects.
 *
 * What cannot be derived from the kernel's state is kept in hashes keyed by task pointer, not in task
 * storage: with full preemption on 6.1 one lookup of task storage in twenty-odd fails. They are
 * preallocated: an insertion on a decision path does not depend on the allocator.
 */
#ifndef HOLDFAST_BPF_RUN_MAPS_BPF_H
#define HOLDFAST_BPF_RUN_MAPS_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/answer.bpf.h"
#include "bpf/lib/prototype.bpf.h"
#include "bpf/namespaces/tracked.bpf.h"
#include "bpf/run/session.h"
#include "core/map_room.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MEMBERS_MAX);
  __type(key, __u64);
  __type(value, struct hf_member);
} members SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct hf_session);
} session SEC(".maps");

static __always_inline struct hf_session *hf_session(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&session, &zero);
}

/* Tasks go by the address of their task_struct, a plain number: what bpf_get_current_task() returns. */
static __always_inline struct hf_member *hf_member_of(__u64 task) { return bpf_map_lookup_elem(&members, &task); }

static struct hf_tracking *hf_tracking(void) {
  struct hf_session *s = hf_session();
  return s ? &s->tracking : 0;
}

static __u32 hf_tracked_share(void) { return HF_TRACKED_MAX; }

char _license[] SEC("license") = "Dual BSD/GPL";

#endif /* HOLDFAST_BPF_RUN_MAPS_BPF_H */
