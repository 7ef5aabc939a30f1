/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The labels of a socket as the machine-wide programs see them, in the storage of its inode.
 *
 * Policies come and go while sockets stay, so what is kept does not depend on one: each label is two hashes under a
 * key that nobody outside the kernel and the daemon knows (siphash.h), of its name and of its value. A policy that
 * becomes live brings the hashes of what its rules name.
 *
 * Programs read without a lock, while at most one changes (the kernel locks the inode; the daemon replaces the whole).
 * So a name keeps its place as long as the socket lives, and a label that is removed leaves it with the value
 * HF_LABEL_HASH_ABSENT: who finds a name finds its value beside it. More names than there are places, and whatever else
 * could not be recorded, leave the socket marked as not known, and each decision that would need its labels is a refusal.
 */
#ifndef HOLDFAST_CORE_MACHINE_LABELS_H
#define HOLDFAST_CORE_MACHINE_LABELS_H

#include "core/siphash.h"

#define HF_MACHINE_LABELS 32u /* names that one socket ever had */

/* Values that are no hash. */
#define HF_LABEL_HASH_ABSENT 0ull
#define HF_LABEL_HASH_LONG 1ull /* longer than a rule may name */
#define HF_LABEL_HASH_FIRST 2ull

struct hf_hashed_label {
  __u64 name;  /* 0: the place is free */
  __u64 value; /* HF_LABEL_HASH_* */
};

struct hf_machine_labels {
  __u32 used;    /* places */
  __u32 unknown; /* 1: these are not all its labels */
  struct hf_hashed_label labels[HF_MACHINE_LABELS];
};

/*
 * Where sockets have no labels of their own (before Linux 7.1): what the daemon keeps for them. One value, replaced as
 * one, so that no crash leaves a socket whose texts say something else than its hashes. Below 4 KiB with what the kernel
 * puts in front of it, the most that some kernels allocate for it.
 */
#define HF_LABEL_STORE_BYTES 3472u

struct hf_label_store {
  struct hf_machine_labels hashed;
  __u32 length; /* of texts, bytes */
  __u32 pad0;
  char texts[HF_LABEL_STORE_BYTES]; /* struct hf_stored_label and its bytes, one after the other, unaligned */
};

struct hf_stored_label {
  __u16 name_bytes;
  __u16 value_bytes;
};

HF_LAYOUT(sizeof(struct hf_machine_labels) == 520);
HF_LAYOUT(sizeof(struct hf_label_store) == 4000);
HF_AT(hf_label_store, texts, 528);

/* The hash of a name or a value as it is kept: 0 and the values that are no hash stay free. */
HF_INLINE __u64 hf_kept_hash(__u64 hash) { return hash < HF_LABEL_HASH_FIRST ? hash + HF_LABEL_HASH_FIRST : hash; }

#endif /* HOLDFAST_CORE_MACHINE_LABELS_H */
