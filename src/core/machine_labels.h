/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The labels of a socket for the machine-wide programs, in the BPF storage of its inode.
 *
 * A socket can outlive a policy, so the storage does not depend on one. Each label is stored as two hashes, of its
 * name and of its value (siphash.h). The key of the hash is known only in the kernel and in the daemon. When a policy
 * becomes live, the daemon adds the hashes of the names and values in its rules to a map.
 *
 * Programs read without a lock, and there is at most one writer: the kernel locks the inode, and the daemon replaces
 * the whole value. A name keeps its slot as long as the socket exists, and a removed label has the value
 * HF_LABEL_HASH_ABSENT. So a reader that finds a name also finds its value. If a label cannot be recorded, for
 * instance because there are too many names, the labels of the socket are marked as unknown. Each decision that needs
 * them is then a refusal.
 */
#ifndef HOLDFAST_CORE_MACHINE_LABELS_H
#define HOLDFAST_CORE_MACHINE_LABELS_H

#include "core/siphash.h"

#define HF_MACHINE_LABELS 32u /* the maximum number of different names that one socket can have over time */

/* Values that are not hashes. */
#define HF_LABEL_HASH_ABSENT 0ull
#define HF_LABEL_HASH_LONG 1ull /* the value is longer than any value in a rule */
#define HF_LABEL_HASH_FIRST 2ull

struct hf_hashed_label {
  __u64 name;  /* 0: the slot is free */
  __u64 value; /* HF_LABEL_HASH_* */
};

/* A decision that is remembered with the labels it depends on: allowed, and not logged. */
struct hf_allowed {
  __u64 question; /* a digest of the labels, the policy, the profile and the operation */
  __u32 counters; /* under a policy of the machine: the key of the counters of the profile that allowed it */
  __u32 pad0;
  __u64 seal; /* hf_allowed_seal() */
};

struct hf_machine_labels {
  __u32 used;    /* the number of used slots */
  __u32 unknown; /* 1: some labels are not recorded */
  struct hf_hashed_label labels[HF_MACHINE_LABELS];
  struct hf_allowed allowed; /* the last one; written by whichever program decided */
};

/*
 * An accept that is decided when its peer is known, in the BPF storage of the inode of the socket that becomes the accepted
 * one. It is made before the kernel looks for a connection.
 */
struct hf_accept {
  struct hf_machine_labels own; /* of the listener, when it was called */
  __u64 listener;               /* cookie */
  __u32 layers;                 /* bit i: layer number i decides (core/layers.h) */
  __u32 refused;                /* 1: by one of them, and nothing is sent or received */
};

/*
 * The labels that the daemon keeps for a socket, on kernels whose sockets have none (before Linux 7.1). Texts and
 * hashes are one map value and are replaced together, so a crash cannot make them inconsistent. With the kernel's
 * header the value is less than 4 KiB, which is the maximum on some kernels.
 */
#define HF_LABEL_STORE_BYTES 3448u

#define HF_LABEL_TEXTS_ELSEWHERE 0xffffffffu /* a length: the texts are in the daemon's memory */

struct hf_label_store {
  struct hf_machine_labels hashed;
  __u32 length; /* of texts, bytes; or HF_LABEL_TEXTS_ELSEWHERE */
  __u32 pad0;
  char texts[HF_LABEL_STORE_BYTES]; /* for each label a struct hf_stored_label, then name and value; unaligned */
};

struct hf_stored_label {
  __u16 name_bytes;
  __u16 value_bytes;
};

HF_LAYOUT(sizeof(struct hf_machine_labels) == 544);
HF_LAYOUT(sizeof(struct hf_accept) == 560);
HF_LAYOUT(sizeof(struct hf_label_store) == 4000);
HF_AT(hf_label_store, texts, 552);
HF_LAYOUT(sizeof(struct hf_allowed) == 24);

/* A digest takes one word after the other. The factor is odd, so that the multiplication loses no bits. */
HF_INLINE __u64 hf_take_word(__u64 digest, __u64 word) {
  digest = ((digest ^ digest >> 31) + word) * 0x9fb21c651e98df25ull;
  return digest ^ digest >> 29;
}

/*
 * A checksum of an entry, never 0. Two programs may write one at the same time, and a third may read it meanwhile. A mixture
 * of two entries has the checksum of neither.
 */
HF_INLINE __u64 hf_allowed_seal(const struct hf_allowed *allowed) {
  return hf_take_word(hf_take_word(0xff51afd7ed558ccdull, allowed->question), allowed->counters) | 1;
}

/* The stored form of a hash. It avoids 0 and the values that are not hashes. */
HF_INLINE __u64 hf_kept_hash(__u64 hash) { return hash < HF_LABEL_HASH_FIRST ? hash + HF_LABEL_HASH_FIRST : hash; }

#endif /* HOLDFAST_CORE_MACHINE_LABELS_H */
