/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs of one session and their loader share: the values of the maps of maps.bpf.h.
 *
 * The rules of core/abi.h hold here too: fixed-width fields, explicit padding, asserted layout.
 */
#ifndef HOLDFAST_BPF_RUN_SESSION_H
#define HOLDFAST_BPF_RUN_SESSION_H

#include "core/counters.h"
#include "core/tracked.h"

#define HF_TABLES_POLICY 0u    /* the session's policy */
#define HF_TABLES_SELF_TEST 1u /* refuses everything; only while the self_test flies */
#define HF_TABLES_SLOTS 2u

#define HF_MEMBERS_MAX 32768u /* tasks in one session; a fork beyond it fails */
#define HF_EVENT_RING_BYTES (1u << 20)

/* A task that belongs to the session by descent. Key: address of its task_struct. */
struct hf_member {
  __u16 profile;
  __u16 tables; /* HF_TABLES_*: which policy decides about it */
  __u32 pad1;
  __u64 set;        /* the sandbox it was started in */
  __u32 meets_peer; /* HF_SOCK_* that the task is about to do, and that is decided when its peer is met; or 0 */
  __u32 pad0;
};

#define HF_BUCKETS_MAX 65536u /* rules and cgroups with a rate */
#define HF_LABEL_TEXT 256u

/* A label's value or name. Bytes behind `length` are zero. */
struct hf_label_text {
  __u32 length;
  char text[HF_LABEL_TEXT];
};

/* What the map label_names says of a name. */
#define HF_LABEL_MAY_SET (1u << 31)
#define HF_LABEL_INDEX 0xffu /* in the policy's names, from 1 on; 0: no rule asks for it */

/* The labels of one socket, in the terms of the policy. In the storage of its inode. */
struct hf_socket_labels {
  __u32 ids[HF_MAX_LABEL_NAMES]; /* by index of a label name: value id, HF_LABEL_ID_* */
  __u64 inherited_from;          /* cookie of the listener, until user space has taken them over as well; 0: none */
  __u32 unknown;                 /* 1: these may not be its labels, and what depends on them is refused */
  __u32 pad0;
};

/* Read-only to the programs, filled in before they are loaded. */
struct hf_label_words {
  __u32 count;                                   /* of names */
  __u32 operations;                              /* HF_SOCK_* that rules are about */
  __u32 peer_operations;                         /* those that some rule decides by the peer's label */
  __u32 label_ruled;                             /* 1: only names with HF_LABEL_MAY_SET may be set */
  __u32 mirrored;                                /* 1: labels are read from the inodes' storage, else by kfunc */
  __u32 inherit;                                 /* 1: accepted sockets get the listener's labels */
  char names[HF_MAX_LABEL_NAMES][HF_LABEL_TEXT]; /* by index of a label name */
};

/* What the program hf_take_for is given: a packet that is none, for a token of a rule's bucket. */
struct hf_take_token_args {
  __u8 head[16]; /* zero: the kernel wants a link layer's header */
  __u32 slot;    /* HF_TABLES_* */
  __u32 subject; /* profile */
  __u32 rule;
  __u32 pad0;
  __u64 cgroup;
};

/* What the program hf_see_peer saw behind a socket. */
struct hf_seen_peer {
  __u64 cookie; /* of the socket that was asked about; 0: nothing was seen */
  __u32 ids[HF_MAX_LABEL_NAMES];
};

struct hf_session_totals {
  struct hf_counters decisions;
  __u64 lost;    /* events that did not fit the ring */
  __u64 events;  /* ids given out */
  __u64 guarded; /* attempts on the enforcement itself that were refused; no decisions */
};

/* The session's one record. */
struct hf_session {
  __u64 armed_task;       /* the task whose next fork makes a member; 0: none */
  struct hf_member armed; /* what that member will be */
  __u32 adopted;          /* 0: members of the policy are still setting themselves up, unruled */
  __u32 closing;          /* 1: members may not fork any more */
  __u32 pad1;
  __u32 adopt_found;             /* HF_NS_* that the adoption has recorded */
  __u32 adopt_inum[HF_NS_COUNT]; /* namespaces to record, by bit number of HF_NS_*; 0: none */
  __u64 adopt_set;
  __u32 adopt_owner;
  __u32 pad0;
  __u32 protected_tgid[2]; /* holdfast and its guardian: the confined may not touch them */
  struct hf_session_totals totals;
  struct hf_tracking tracking;
  __u32 pad2;
  __u32 labels_lost;    /* 1: a label could not be mirrored; while it is, nothing is decided about sockets */
  __u64 channel_cookie; /* of the child's socket to holdfast, which it loses when it executes CMD: not ruled about */
};

HF_LAYOUT(sizeof(struct hf_label_text) == 260);
HF_LAYOUT(sizeof(struct hf_label_words) == 24 + 16 * 256);
HF_LAYOUT(sizeof(struct hf_socket_labels) == 80);
HF_AT(hf_socket_labels, inherited_from, 64);
HF_LAYOUT(sizeof(struct hf_take_token_args) == 40);
HF_AT(hf_take_token_args, cgroup, 32);
HF_LAYOUT(sizeof(struct hf_seen_peer) == 72);
HF_LAYOUT(sizeof(struct hf_member) == 24);
HF_AT(hf_member, set, 8);
HF_AT(hf_member, meets_peer, 16);
HF_LAYOUT(sizeof(struct hf_session_totals) == 64);
HF_LAYOUT(sizeof(struct hf_session) == 704);
HF_AT(hf_session, adopted, 32);
HF_AT(hf_session, adopt_inum, 48);
HF_AT(hf_session, adopt_set, 80);
HF_AT(hf_session, protected_tgid, 96);
HF_AT(hf_session, totals, 104);
HF_AT(hf_session, tracking, 168);
HF_AT(hf_session, labels_lost, 692);

#endif /* HOLDFAST_BPF_RUN_SESSION_H */
