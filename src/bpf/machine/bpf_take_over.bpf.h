/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records of BPF objects of another instance, for the daemon that replaces it (core/bpf_objects.h). The programs of
 * bpf_commands.bpf.h are attached meanwhile, so what is counted is counted under the same lock.
 */
#ifndef HOLDFAST_BPF_MACHINE_BPF_TAKE_OVER_BPF_H
#define HOLDFAST_BPF_MACHINE_BPF_TAKE_OVER_BPF_H

#include "bpf/machine/bpf_commands.bpf.h"

struct __sk_buff;

/* The counterpart of give_back_to(). 0: there is no room. */
__noinline int take_for(__u64 set, __u32 kind, __u64 bytes, __u32 counted) {
  struct locked_usage *locked = make_usage_of(set);
  if (!locked) return 0;
  count(&locked->usage.objects);
  if (!counted) return 1;
  bpf_spin_lock(&locked->lock);
  if (kind == HF_VIA_BPF_MAP)
    locked->usage.maps += 1;
  else
    locked->usage.programs += 1;
  locked->usage.memory += bytes;
  bpf_spin_unlock(&locked->lock);
  return 1;
}

static __always_inline __u32 take_object(__u64 address, struct hf_bpf_object *object) {
  __u32 taken = HF_TAKEN;
  if (bpf_map_lookup_elem(&bpf_objects, &address)) return HF_TAKEN_ALREADY;
  if (bpf_map_update_elem(&bpf_objects, &address, object, BPF_NOEXIST))
    return bpf_map_lookup_elem(&bpf_objects, &address) ? HF_TAKEN_ALREADY : HF_TAKE_NO_ROOM;
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++)
    if (object->of[i].owner && !take_for(object->of[i].set, object->kind, object->bytes, object->counted >> i & 1))
      taken = HF_TAKE_NO_ROOM;
  return taken;
}

#define TAKE_MOST(field) \
  if (locked->usage.field < was->field) locked->usage.field = was->field

/* Both instances count what is made meanwhile, and the other one has counted for longer. */
static __always_inline __u32 take_totals(__u64 set, struct hf_bpf_usage *was) {
  struct locked_usage *locked = make_usage_of(set);
  if (!locked) return HF_TAKE_NO_ROOM;
  bpf_spin_lock(&locked->lock);
  TAKE_MOST(most_maps);
  TAKE_MOST(most_programs);
  TAKE_MOST(most_memory);
  TAKE_MOST(maps_made);
  TAKE_MOST(programs_made);
  TAKE_MOST(tokens_made);
  TAKE_MOST(attached);
  bpf_spin_unlock(&locked->lock);
  return HF_TAKEN;
}

/* A program for packets, since on each kernel only those that cannot sleep may take a lock. */
SEC("tc")
int bpf_take_over(struct __sk_buff *packet) {
  struct hf_bpf_take_over request;
  if (bpf_skb_load_bytes(packet, 0, &request, sizeof(request))) return 0;
  if (request.what == HF_TAKE_OBJECT) return take_object(request.key, &request.object);
  if (request.what == HF_TAKE_BACK) return !give_back(request.key) ? HF_TAKEN : 0;
  if (request.what == HF_TAKE_TOTALS) return take_totals(request.key, &request.usage);
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_BPF_TAKE_OVER_BPF_H */
