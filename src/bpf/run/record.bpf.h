/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing the record of a tracked namespace. */
#ifndef HOLDFAST_BPF_RUN_RECORD_BPF_H
#define HOLDFAST_BPF_RUN_RECORD_BPF_H

#include "bpf/run/maps.bpf.h"

static __always_inline long hf_track(struct hf_session *s, const struct ns_common *ns, __u32 type, __u64 set,
                                     __u16 owner) {
  struct hf_tracked record = {.type = type, .set = set, .owner = owner};
  __u32 inum = 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (bpf_core_field_exists(ns->ns_id)) bpf_core_read(&record.ns_id, sizeof(record.ns_id), &ns->ns_id);
  record.address = (unsigned long)ns;
  /* Before the record: from now on everybody is looked at, and everybody looks for this number. */
  s->any_tracked = 1;
  __sync_fetch_and_or(&s->tracked_numbers[inum / 64 % HF_NUMBER_WORDS], 1ull << (inum % 64));
  return bpf_map_update_elem(&tracked, &inum, &record, BPF_ANY);
}

#endif /* HOLDFAST_BPF_RUN_RECORD_BPF_H */
