/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layers: policies that hold at the same time, in the maps of the machine-wide programs. Layer 0 is the policy of the
 * machine. Each session (a `holdfast run` that the daemon holds) is one more, in a slot of its own. A task is decided
 * about by each of its layers, and the strongest refusal wins.
 *
 * The rules of core/abi.h hold here too: fixed-width fields, explicit padding, asserted layout.
 */
#ifndef HOLDFAST_CORE_LAYERS_H
#define HOLDFAST_CORE_LAYERS_H

#include "core/abi.h"
#include "core/counters.h"

#define HF_LAYER_MACHINE 0u     /* the slot of the machine's policy */
#define HF_LAYER_SLOTS 2048u    /* sessions at one time, slot 0 is not used for one */
#define HF_LAYERS_NESTED 4u     /* sessions that one task is a member of: runs in runs */
#define HF_LAYERS_DECIDE 5u     /* layers that decide about one operation; with more it is refused */
#define HF_NO_LAYER 0xffffu     /* more than each slot; fits the slot of a look at layers */
#define HF_SESSION_TASKS 65536u /* members of all sessions together; a fork beyond that fails */

/*
 * Of these, what the sessions of ordinary users may have together. The rest is root's, whatever users do. A user has a slot
 * as long as a session of that user is open; slot 0 counts for all users.
 */
#define HF_USER_SLOTS 257u
#define HF_USER_SESSIONS 1024u
#define HF_USER_TASKS 32768u
#define HF_USER_TRACKED 65536u /* namespaces */
#define HF_USER_POLICIES 64u   /* that differ, each with its tables */
#define HF_USER_ENTRIES 16384u /* of the maps of rules about sockets */
#define HF_USER_EVENTS 256u    /* in a second, of one session */
#define HF_NO_UID 0xffffffffu

/* Sets: the id of a cgroup, or one of these bits and another number. */
#define HF_SET_OF_MARK (1ull << 63)
#define HF_SET_OF_SESSION (1ull << 62)

/* Owners of tracked namespaces: the digest of a profile's name, or this bit, the session's slot and the number of its
 * profile. A slot is used again only after the records of its session are gone. */
#define HF_OWNER_IN_SESSION (1ull << 63)

/* A session that a task is a member of. */
struct hf_layer {
  __u64 set;  /* HF_SET_OF_SESSION and the id of the session, which is never used again */
  __u32 slot; /* not 0 */
  __u16 profile;
  __u16 setup; /* HF_SETUP_*, of a member of a container */
};

/*
 * A task of a container's runtime, which has executed nothing since the container's session was opened. The session's rules
 * are not about it until then, or until the program of the container is executed. A program of the container never is one.
 */
#define HF_SETUP_OVER 0u
#define HF_SETUP_FIRST 1u /* of the process that will execute the container's program */
#define HF_SETUP_OTHER 2u /* of a process that the first one has forked */

/* The sessions that a task is a member of by descent. Key: address of its task_struct. */
struct hf_layers {
  __u32 count;
  __u32 pad0;
  struct hf_layer layer[HF_LAYERS_NESTED];
};

/* What there is of the session in a slot. Programs count in it, the daemon writes the rest. */
struct hf_session_state {
  __u64 id;      /* 0: the slot is free; in slot 0: the last id that was given */
  __u64 members; /* tasks */
  __u64 lost;    /* events that did not fit the ring */
  __u64 events;  /* ids given out */
  struct hf_counters decisions;
  __u64 guarded; /* attempts on the enforcement itself that were refused; no decisions */
  __u64 channel; /* cookie of a socket that its policy does not apply to; 0: none */
  __u64 home;    /* id of the cgroup that its first member was in; 0: the root of the hierarchy */
  __u32 owner;   /* uid that opened it */
  __u32 profile; /* of its members */
  __u64 asked;   /* of a container: the generation of the machine's policy that its profile is of; else 0 */
  __u32 moves;   /* 1: its policy has rules about moves between cgroups */
  __u32 setup;   /* 1: the container's program has not been executed yet */
  __u32 user;    /* slot of the owner in the table of users; 0: root's. Only its own user's tasks are visitors */
  __u32 tracked_share;   /* namespaces of its sandbox */
  __u64 events_since_ns; /* the second in which `events_now` were reported; only counted for users */
  __u64 events_now;
  __u64 forks_refused; /* members that were one too many for the user */
};

/* An ordinary user with a session. */
struct hf_session_user {
  __u64 members; /* of all sessions of the user; a task in two counts twice */
  __u64 members_most;
  __u32 uid;
  __u32 pad0;
};

/* What the daemon asks of the iterator that makes a task a member: the task is blocked, and its namespaces are made. */
struct hf_adoption {
  struct hf_layer layer;
  __u32 inum[HF_NS_COUNT]; /* namespaces that the task is in, by bit number of HF_NS_*; 0: not said */
  __u32 own;               /* HF_NS_*: which of them become the session's */
  __u32 wanted;            /* HF_NS_*: without them it becomes no member */
  __u32 found;             /* HF_NS_* that it is in, and that were recorded if they become the session's */
  __u32 joined;            /* HF_JOINED_* */
  __u32 owner;             /* the task has to be this user's, with no_new_privs; HF_NO_UID: any */
  __u32 refused;           /* HF_ADOPTION_*: why it is not a member */
};
#define HF_JOINED_NOT 0u
#define HF_JOINED_NOW 1u
#define HF_JOINED_BEFORE 2u
#define HF_JOINED_FULL 3u         /* no: it is in too many sessions, the user has too many members, or there is no room */
#define HF_ADOPTION_PRIVILEGES 1u /* it may gain privileges at an exec */
#define HF_ADOPTION_OTHERS 2u     /* it is another user's, or has privileges */
#define HF_ADOPTION_NAMESPACE 3u  /* a namespace is another user's */

HF_INLINE __u64 hf_owner_in_session(__u32 slot, __u16 profile) {
  return HF_OWNER_IN_SESSION | (__u64)slot << 16 | profile;
}
HF_INLINE __u32 hf_slot_of_owner(__u64 owner) { return (__u32)(owner >> 16) & (HF_LAYER_SLOTS - 1); }

HF_LAYOUT(sizeof(struct hf_layer) == 16);
HF_LAYOUT(sizeof(struct hf_layers) == 8 + 16 * HF_LAYERS_NESTED);
HF_LAYOUT(sizeof(struct hf_session_state) == 112 + sizeof(struct hf_counters));
HF_LAYOUT(sizeof(struct hf_session_user) == 24);
HF_LAYOUT(sizeof(struct hf_adoption) == 40 + 4 * HF_NS_COUNT);
HF_LAYOUT((HF_LAYER_SLOTS & (HF_LAYER_SLOTS - 1)) == 0);

#endif /* HOLDFAST_CORE_LAYERS_H */
