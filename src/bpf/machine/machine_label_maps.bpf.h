/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The labels of sockets, where the machine-wide programs find them (core/machine_labels.h). */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_LABEL_MAPS_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_LABEL_MAPS_BPF_H

#include "bpf/lib/vmlinux.h"
#include "bpf/lib/walk_memory.bpf.h"
#include "core/machine_labels.h"

/* From user space, before loading: do sockets of this kernel have labels of their own? */
const volatile __u32 kernel_labels = 0;

/*
 * Labels that could not be recorded with any socket: while it is not 0, the labels of no socket are known. User space looks at
 * all sockets again then, and sets it back.
 */
__u64 labels_lost;

/* Where they do. Fed by machine_label.bpf.h. */
struct {
  __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hf_machine_labels);
} machine_labels SEC(".maps");

/* Where they do not. Fed by user space. */
struct {
  __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hf_label_store);
} label_store SEC(".maps");

/* Made once, with the maps, and kept as long as they are. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_sip_key);
} label_key SEC(".maps");

/* The labels of a socket by its inode; null: it never had one. */
static __always_inline struct hf_machine_labels *labels_of_inode(struct inode *inode, __u64 flags) {
  struct hf_label_store *store;
  if (kernel_labels) return bpf_inode_storage_get(&machine_labels, inode, 0, flags);
  store = bpf_inode_storage_get(&label_store, inode, 0, flags);
  return store ? &store->hashed : 0;
}

struct word_by_word {
  struct hf_sip_state state;
  const struct hf_sip_text *text;
};

static long take_word(__u32 i, struct word_by_word *hash) {
  HF_OPAQUE(i);
  if (i >= HF_SIP_WORDS) return 1;
  hf_sip_take(&hash->state, hash->text->words[i]);
  return 0;
}

/* hf_siphash() of the text, as it is kept; 0: there is no key. A loop that the verifier walks through once. */
static __noinline __u64 hash_text(struct hf_sip_text *text) {
  struct word_by_word hash = {};
  const struct hf_sip_key *key;
  __u32 zero = 0, whole, length;
  if (!text) return 0;
  key = bpf_map_lookup_elem(&label_key, &zero);
  if (!key) return 0;
  hash.text = text;
  length = text->length % HF_SIP_BYTES;
  whole = length / 8;
  hf_sip_begin(&hash.state, key);
  bpf_loop(whole, take_word, &hash, 0);
  HF_OPAQUE(whole);
  if (whole >= HF_SIP_WORDS) return 0;
  return hf_kept_hash(hf_sip_end(&hash.state, text->words[whole], length));
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_LABEL_MAPS_BPF_H */
