/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of a policy about sockets, in the maps of the machine-wide programs. Keys that depend on a policy contain
 * its generation, like those of paths.h.
 */
#ifndef HOLDFAST_CORE_MACHINE_SOCKETS_H
#define HOLDFAST_CORE_MACHINE_SOCKETS_H

#include "core/abi.h"
#include "core/bucket.h"
#include "core/inline.h"

#define HF_LABEL_IDS_MAX 16384u       /* names and values in one policy, and names in label.set */
#define HF_KNOWN_PROFILES_MAX 8192u   /* cgroups whose profiles are cached */
#define HF_MACHINE_BUCKETS_MAX 65536u /* pairs of rate and cgroup; the rates of a policy share them */

/* hf_socket_profile.labels */
#define HF_LABELS_RULED (1u << 0)   /* members may set and remove only labels that label.set lists */
#define HF_LABELS_INHERIT (1u << 1) /* accepted sockets get the listener's labels */

struct hf_policy_key {
  __u64 generation;
  __u32 number; /* of a profile or a rule */
  __u32 pad0;
};

/* The id of a profile is a digest of its name, never 0. */
struct hf_profile_id_key {
  __u64 generation;
  __u64 id;
};

/* A profile that has rules about sockets or labels. */
struct hf_socket_profile {
  __u16 operations;      /* HF_SOCK_* with rules */
  __u16 own_operations;  /* HF_SOCK_* with rules that depend on the socket's labels */
  __u16 peer_operations; /* HF_SOCK_* with rules that depend on the labels of a unix socket's peer */
  __u16 labels;          /* HF_LABELS_* */
};

/* The meaning of a hash (machine_labels.h) under a policy. */
#define HF_LABEL_IS_NAME 1u  /* the value of the map entry is the index of the name */
#define HF_LABEL_IS_VALUE 2u /* the value of the map entry is the id of the value */
#define HF_LABEL_MAY_BE_SET 3u

struct hf_label_id_key {
  __u64 generation;
  __u64 hash;
  __u32 kind;    /* HF_LABEL_* */
  __u32 profile; /* with HF_LABEL_MAY_BE_SET, otherwise 0 */
};

/* The profiles that a cgroup lies in. They depend only on the policy and marks, since cgroups are never renamed. */
struct hf_known_key {
  __u64 generation;
  __u64 cgroup;
};

struct hf_known_profile {
  __u64 bound;              /* the cgroup that chain[0] is bound to: this one or an ancestor; 0: none */
  __u16 chain[HF_MAX_NEST]; /* the deepest binding first; 0 ends */
  __u32 epoch;              /* of marks on cgroups */
  __u32 pad0;
  __u64 seal; /* hf_known_seal() */
};

/*
 * A checksum of an entry and its key. When the kernel evicts an entry it reuses the memory for another key at once,
 * while a program may still be reading it. A mixture of two entries has the checksum of neither. The factors are odd,
 * so that the multiplications lose no bits.
 */
HF_INLINE __u64 hf_known_seal(const struct hf_known_key *key, const struct hf_known_profile *known) {
  __u64 seal = (key->cgroup ^ 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
  __u64 chain[2];
  __builtin_memcpy(chain, known->chain, sizeof(chain));
  seal = ((seal ^ seal >> 29) + key->generation) * 0xc4ceb9fe1a85ec53ull;
  seal = ((seal ^ seal >> 32) + known->bound) * 0x9fb21c651e98df25ull;
  seal = ((seal ^ seal >> 31) + chain[0]) * 0xd6e8feb86659fd93ull;
  seal = ((seal ^ seal >> 33) + chain[1]) * 0xff51afd7ed558ccdull;
  seal = ((seal ^ seal >> 29) + known->epoch) * 0xc4ceb9fe1a85ec53ull;
  return seal ^ seal >> 32;
}

/*
 * The deepest profile that a cgroup lies in, without a look into a hash. The entries are found by a part of the cgroup's
 * number, and replaced by what comes later. They are written without a lock, so `check` says of which cgroup the rest
 * is; of a mixture of two entries it says none that there is.
 */
#define HF_NEAR_PROFILES 256u /* a power of 2 */
struct hf_near_profile {
  __u64 stamp;   /* hf_near_stamp() of the policy; 0: nothing */
  __u64 profile; /* its number; 0: none */
  __u64 bound;   /* as in hf_known_profile */
  __u64 check;   /* hf_near_check() */
};

/* 0: cannot be stated, so nothing is remembered. */
HF_INLINE __u64 hf_near_stamp(__u64 generation, __u32 epoch) { return generation >> 32 ? 0 : generation << 32 | epoch; }

/* For one stamp, profile and bound, each cgroup has another. */
HF_INLINE __u64 hf_near_check(__u64 cgroup, __u64 stamp, __u64 profile, __u64 bound) {
  __u64 mixed = (stamp + profile * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
  mixed = ((mixed ^ mixed >> 31) + bound) * 0x9fb21c651e98df25ull;
  return cgroup ^ (mixed ^ mixed >> 32) * 0xc4ceb9fe1a85ec53ull;
}

/* A rule with a rate. */
struct hf_socket_rate {
  __u64 digest; /* the first part of the key of its buckets */
  struct hf_socket_rule rule;
  __u32 most; /* its share of HF_MACHINE_BUCKETS_MAX */
  __u32 pad0;
};

/*
 * The key has the content of the rule and not its number, so an unchanged rule keeps its buckets under a new policy. It
 * has the cgroup that the profile is bound to, so a task cannot get a full bucket by making a cgroup below.
 */
struct hf_machine_bucket_key {
  __u64 rate;   /* a digest of profile and rule */
  __u64 cgroup; /* 0: the bucket of all tasks that have the profile by a mark */
};

HF_LAYOUT(sizeof(struct hf_policy_key) == 16);
HF_LAYOUT(sizeof(struct hf_profile_id_key) == 16);
HF_LAYOUT(sizeof(struct hf_socket_profile) == 8);
HF_LAYOUT(sizeof(struct hf_label_id_key) == 24);
HF_LAYOUT(sizeof(struct hf_known_key) == 16);
HF_LAYOUT(sizeof(struct hf_known_profile) == 40);
HF_AT(hf_known_profile, chain, 8);
HF_LAYOUT(sizeof(((struct hf_known_profile *)0)->chain) == 16);
HF_LAYOUT(sizeof(struct hf_socket_rate) == 112);
HF_LAYOUT(sizeof(struct hf_machine_bucket_key) == 16);

#endif /* HOLDFAST_CORE_MACHINE_SOCKETS_H */
