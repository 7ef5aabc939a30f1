/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The structures that BPF programs, user space and files share.
 *
 * A policy compiles to one immutable `struct hf_tables`. A backend fills in a `struct hf_request` with
 * facts, and hf_decide() (decide.h) turns both into a `struct hf_verdict`. A `struct hf_event` contains
 * the request and the verdict, so an event can be decided again later, under another policy.
 *
 * Rules of this file: fields have a fixed width and padding is explicit. There are no enum fields,
 * pointers, bitfields or bool, and no packed structures. Static assertions check sizes and offsets under
 * both compilers.
 */
#ifndef HOLDFAST_CORE_ABI_H
#define HOLDFAST_CORE_ABI_H

#include <linux/types.h>

#define HF_TABLES_MAGIC 0x54444648u /* "HFDT" little endian */
#define HF_ABI_VERSION 1u

/* ---- limits ---------------------------------------------------------------------------------- */
#define HF_MAX_PROFILES 1024u
#define HF_PROFILE_SLOTS (HF_MAX_PROFILES + 1u) /* slot 0 is "no profile" */
#define HF_MAX_MOVER_SETS 1024u                 /* distinct lists of movers in one policy */
#define HF_MOVER_WORDS 17u                      /* 64-bit words that hold HF_PROFILE_SLOTS bits */
#define HF_MAX_SOCKET_RULES 4096u               /* in one policy */
#define HF_MAX_PROFILE_SOCKET_RULES 256u        /* in one profile: bounds the search */
#define HF_MAX_LABEL_NAMES 16u                  /* distinct label names in one policy */
#define HF_MAX_LABEL_VALUES 4096u               /* distinct label values in one policy */
#define HF_MAX_LABEL_MATCHES 4u                 /* conditions on one side of one socket rule */
#define HF_MAX_BINDINGS 65536u                  /* cgroups bound to profiles */
#define HF_MAX_NEST 8u                          /* profiles that one cgroup path lies in */
#define HF_COMM_LEN 16u

/* ---- operations, ways, reasons, flags of a request: core/enums.def ------------------------------------ */
#ifdef __cplusplus
#define HF_CONSTANT(name, number) inline constexpr __u32 name = number;
#else
#define HF_CONSTANT(name, number) enum { name = number };
#endif
#define HF_OP(name, number, word, way) HF_CONSTANT(HF_OP_##name, number##u)
#define HF_VIA(name, number, word, operation) HF_CONSTANT(HF_VIA_##name, number##u)
#define HF_REASON(name, number, word, text) HF_CONSTANT(HF_REASON_##name, number##u)
#define HF_REQ(name, bit, word) HF_CONSTANT(HF_REQ_##name, 1u << bit)
#include "core/enums.def"
#undef HF_CONSTANT

#define HF_VIA_NONE 0u
#define HF_OP_COUNT 9u /* numbers start at 1 */
#define HF_VIA_COUNT 24u
#define HF_REASON_COUNT 25u

/* ---- namespace types, a mask ------------------------------------------------------------------ */
#define HF_NS_MNT (1u << 0)
#define HF_NS_UTS (1u << 1)
#define HF_NS_IPC (1u << 2)
#define HF_NS_USER (1u << 3)
#define HF_NS_PID (1u << 4)
#define HF_NS_NET (1u << 5)
#define HF_NS_CGROUP (1u << 6)
#define HF_NS_TIME (1u << 7)
#define HF_NS_ALL 0xffu
#define HF_NS_COUNT 8u

/* ---- profile settings -------------------------------------------------------------------------- */
#define HF_MODE_ENFORCE 0u
#define HF_MODE_AUDIT 1u

#define HF_LOG_DENIALS 0u /* refusals and locks */
#define HF_LOG_ALL 1u
#define HF_LOG_NONE 2u

#define HF_ENTER_ANY 0u
#define HF_ENTER_NONE 1u
#define HF_ENTER_LOCK 2u /* any, until the task is in a tracked set; then only that set */
#define HF_ENTER_OWN 3u  /* only namespaces of its own sandbox */

#define HF_VISITORS_ALLOW 0u
#define HF_VISITORS_DENY 1u
#define HF_VISITORS_LOCK 2u

#define HF_MOVERS_ANY 0u
#define HF_MOVERS_LIST 1u /* the profiles of a mover set; with an empty set no task may move others */

#define HF_INSIDE_ANY 0u
#define HF_INSIDE_LIST 1u      /* the profiles of a mover set */
#define HF_INSIDE_DELEGATED 2u /* those, and any task within a delegated subtree */

/* ---- rule kinds: one slot of hf_profile.rules each, holding a rule id --------------------------- */
#define HF_RULE_NS_CREATE 0u
#define HF_RULE_NS_ENTER 1u
#define HF_RULE_NS_TRACK 2u
#define HF_RULE_NS_VISITORS 3u
#define HF_RULE_CG_LEAVE 4u
#define HF_RULE_CG_JOIN 5u
#define HF_RULE_CG_INSIDE 6u
#define HF_RULE_BPF_COMMANDS 7u
#define HF_RULE_BPF_MAPS 8u
#define HF_RULE_BPF_PROGRAMS 9u
#define HF_RULE_BPF_ATTACHMENTS 10u
#define HF_RULE_PROFILE 11u /* the profile itself: where it is defined */
#define HF_RULE_MARK 12u
#define HF_RULE_BPF_ATTACH_TO 13u
#define HF_RULE_BPF_QUOTA_MAPS 14u
#define HF_RULE_BPF_QUOTA_PROGRAMS 15u
#define HF_RULE_BPF_QUOTA_MEMORY 16u
#define HF_RULE_KINDS 17u

/* ---- BPF privileges ------------------------------------------------------------------------------- */
#define HF_ATTACH_OWN_CGROUP 0u
#define HF_ATTACH_ANYWHERE 1u

/* hf_profile.bpf_quotas: the quotas that the profile has. */
#define HF_QUOTA_MAPS (1u << 0)
#define HF_QUOTA_PROGRAMS (1u << 1)
#define HF_QUOTA_MEMORY (1u << 2)

/* enum bpf_cmd: the commands for which the kernel accepts a token, so that they can be delegated. */
#define HF_BPF_MAP_CREATE 0u
#define HF_BPF_PROG_LOAD 5u
#define HF_BPF_BTF_LOAD 18u
#define HF_BPF_TOKEN_CREATE 36u
#define HF_BPF_BTF_GET_FD_BY_ID 19u
#define HF_BPF_TOKEN_COMMANDS \
  (1ull << HF_BPF_MAP_CREATE | 1ull << HF_BPF_PROG_LOAD | 1ull << HF_BPF_BTF_LOAD | 1ull << HF_BPF_BTF_GET_FD_BY_ID)
#define HF_BPF_KNOWN_COMMANDS 39u /* commands from here on are unknown to this version */

#define HF_BPF_MAP_STRUCT_OPS 26u /* enum bpf_map_type: an update replaces a part of the kernel */

#define HF_RULE_DEFAULT 0u /* rule id: no line of policy decided */

/* ---- sockets -------------------------------------------------------------------------------------- */
#define HF_SOCK_BIND (1u << 0)
#define HF_SOCK_CONNECT (1u << 1)
#define HF_SOCK_LISTEN (1u << 2)
#define HF_SOCK_ACCEPT (1u << 3)
#define HF_SOCK_SEND (1u << 4)
#define HF_SOCK_OPS_ALL 0x1fu

#define HF_FAMILY_UNIX (1u << 0)
#define HF_FAMILY_INET (1u << 1)
#define HF_FAMILY_INET6 (1u << 2)
#define HF_FAMILY_NETLINK (1u << 3)
#define HF_FAMILY_PACKET (1u << 4)
#define HF_FAMILY_VSOCK (1u << 5)
#define HF_FAMILY_OTHER (1u << 6)
#define HF_FAMILIES_ALL 0x7fu

#define HF_SOCK_ALLOW 0u
#define HF_SOCK_DENY 1u
#define HF_SOCK_RATE 2u

#define HF_LABEL_VALUE 0u  /* equals an interned value */
#define HF_LABEL_ANY 1u    /* present, with any value */
#define HF_LABEL_ABSENT 2u /* not present */

#define HF_LABEL_ID_ABSENT 0u         /* in a request: the socket has no such label */
#define HF_LABEL_ID_OTHER 0xffffffffu /* in a request: a value that no rule names */

/* ---- actions ------------------------------------------------------------------------------------ */
#define HF_ALLOW 0u
#define HF_DENY 1u
#define HF_LOCK 2u  /* allow, and lock the task */
#define HF_LIMIT 3u /* allow while the rule's token bucket has a token, else EAGAIN */

/* ---- hf_tables.any_visitors_*: does any profile have it, and does one of them enforce? ---------------- */
#define HF_SOME_NONE 0u
#define HF_SOME_AUDIT 1u
#define HF_SOME_ENFORCE 2u

#define HF_NO_PROFILE 0u
#define HF_NO_SET 0u

/* ---- tables --------------------------------------------------------------------------------------------- */

/* The settings of a profile. Its index in hf_tables.profiles is its number; 0 is "no profile". */
struct hf_profile {
  __u8 mode;        /* HF_MODE_* */
  __u8 log;         /* HF_LOG_* */
  __u8 ns_enter;    /* HF_ENTER_* */
  __u8 ns_visitors; /* HF_VISITORS_* */
  __u8 ns_track;    /* 0 or 1 */
  __u8 cg_leave;    /* HF_MOVERS_* */
  __u8 cg_join;     /* HF_MOVERS_* */
  __u8 cg_inside;   /* HF_INSIDE_* */
  __u32 ns_create;  /* HF_NS_* that members may make */
  __u16 leave_set;  /* index of a mover set */
  __u16 join_set;
  __u16 inside_set;
  __u16 socket_count; /* rules [socket_first, socket_first + socket_count), in order of the file */
  __u32 socket_first;
  __u8 bpf_ruled;           /* 1: the masks below hold; 0: no bpf section */
  __u8 bpf_attach_to;       /* HF_ATTACH_* */
  __u8 label_ruled;         /* 1: only the names of label.set; 0: members may set any label */
  __u8 label_inherit;       /* 1: accepted sockets copy the listener's labels */
  __u32 label_rule;         /* rule id of label.set */
  __u64 bpf_commands;       /* 1 << enum bpf_cmd */
  __u64 bpf_maps;           /* 1 << enum bpf_map_type */
  __u64 bpf_programs;       /* 1 << enum bpf_prog_type */
  __u64 bpf_attachments[2]; /* bit enum bpf_attach_type */
  __u64 bpf_max_memory;     /* bytes; this and the next two count only if bpf_quotas has their bit */
  __u32 bpf_max_maps;
  __u32 bpf_max_programs;
  __u32 bpf_quotas; /* HF_QUOTA_* */
  __u32 rules[HF_RULE_KINDS];
  __u8 mark_by; /* HF_MOVERS_*: the profiles that may set and remove its mark */
  __u8 pad0;
  __u16 mark_set;
  __u32 pad1;
};

struct hf_mover_set {
  __u64 bits[HF_MOVER_WORDS]; /* bit n: profile n is in the set */
};

struct hf_label_match {
  __u16 name;  /* index of an interned label name */
  __u16 kind;  /* HF_LABEL_VALUE, _ANY, _ABSENT */
  __u32 value; /* id of an interned value, 1-based, with HF_LABEL_VALUE */
};

struct hf_socket_rule {
  __u16 ops;      /* HF_SOCK_* mask */
  __u16 families; /* HF_FAMILY_* mask */
  __u8 verdict;   /* HF_SOCK_ALLOW, _DENY, _RATE */
  __u8 own_count;
  __u8 peer_count;
  __u8 pad0;
  __u32 rule;           /* rule id */
  __u32 rate_tokens;    /* tokens added each period */
  __u64 rate_period_ns; /* with HF_SOCK_RATE */
  __u32 rate_burst;     /* bucket size, tokens */
  __u32 pad1;
  struct hf_label_match own[HF_MAX_LABEL_MATCHES];
  struct hf_label_match peer[HF_MAX_LABEL_MATCHES];
};

struct hf_tables {
  __u32 magic;
  __u32 version;
  __u32 length;        /* sizeof(struct hf_tables) */
  __u32 profile_count; /* slots in use, slot 0 included */
  __u64 generation;    /* grows with every policy that becomes live */
  __u32 mover_set_count;
  __u32 socket_rule_count;
  __u32 label_name_count;
  __u32 label_value_count;
  __u8 any_visitors_deny; /* HF_SOME_*: profiles with visitors = "deny": entering needs a known target */
  __u8 any_cgroup_rules;  /* 0 or 1 */
  __u8 any_socket_rules;  /* 0 or 1 */
  __u8 any_visitors_hold; /* HF_SOME_*: profiles with visitors "lock" or "deny" */
  __u32 pad0;
  struct hf_profile profiles[HF_PROFILE_SLOTS];
  struct hf_mover_set mover_sets[HF_MAX_MOVER_SETS];
  struct hf_socket_rule socket_rules[HF_MAX_SOCKET_RULES];
};

/* ---- request, verdict, event ------------------------------------------------------------------------------ */

/* The facts of an operation. Fields that the operation does not use are zero. */
struct hf_request {
  __u16 op;                     /* HF_OP_* */
  __u16 via;                    /* HF_VIA_* */
  __u32 flags;                  /* HF_REQ_* */
  __u16 subject;                /* profile of the acting task */
  __u16 object;                 /* profile of the moved or traced task */
  __u16 held_owner;             /* profile that tracks held_set */
  __u16 target_owner;           /* profile that tracks the target; 0: untracked */
  __u64 subject_set;            /* the sandbox that the acting task was started in as a member; 0: none */
  __u64 held_set;               /* the set of tracked namespaces that the acting task is in now; 0: none */
  __u64 target_set;             /* set of the target namespace; 0: untracked */
  __u32 held_types;             /* HF_NS_*: the types of its namespaces that are in held_set */
  __u32 ns_types;               /* HF_NS_*: the types to be made, or the one type to be entered */
  __u16 src_chain[HF_MAX_NEST]; /* profiles of the source cgroup, the deepest first, 0 ends */
  __u16 dst_chain[HF_MAX_NEST];
  __u16 sock_op;                        /* one HF_SOCK_* */
  __u16 sock_family;                    /* one HF_FAMILY_* */
  __u32 bpf_value;                      /* enum value of the command, map, program or attachment; via tells which */
  __u32 own_labels[HF_MAX_LABEL_NAMES]; /* by label name index: value id, HF_LABEL_ID_* */
  __u32 peer_labels[HF_MAX_LABEL_NAMES];
};

struct hf_verdict {
  __u8 action; /* HF_ALLOW, _DENY, _LOCK, _LIMIT */
  __u8 mode;   /* HF_MODE_*: with _AUDIT the backend reports the refusal and allows the operation */
  __u8 log;    /* 1: report this decision */
  __u8 pad0;
  __u16 reason;  /* HF_REASON_* */
  __u16 profile; /* the profile whose rule decided; 0: none */
  __u32 rule;    /* rule id; HF_RULE_DEFAULT: no line of policy */
  __s32 error;   /* errno, positive, of a refusal; else 0 */
  __u64 set;     /* with HF_LOCK: the set that the task is locked into; 0: not known yet */
};

struct hf_task {
  __u32 pid;  /* thread id, initial pid namespace */
  __u32 tgid; /* process id */
  __u32 uid;  /* effective, initial user namespace */
  __u32 pad0;
  char comm[HF_COMM_LEN];
};

/* hf_event.repeats: the same rule decided the others, but their tasks and requests may differ. */
#define HF_REPEATS_DIFFER (1ull << 63)

struct hf_event {
  __u32 version;    /* HF_ABI_VERSION */
  __u32 length;     /* sizeof(struct hf_event) */
  __u64 id;         /* unique in one session or one boot of the daemon; grows */
  __u64 time_ns;    /* CLOCK_BOOTTIME */
  __u64 generation; /* of the tables that decided */
  __u64 session;    /* id of the session whose policy decided; 0: the machine's policy, or a run's own */
  __u64 repeats;    /* the number of further equal decisions that this event stands for */
  __u64 source;     /* cgroup_attach: source cgroup id */
  __u64 target;     /* namespace inode number, destination cgroup id or socket cookie; 0: not known */
  struct hf_task actor;
  struct hf_task object;
  struct hf_verdict verdict;
  struct hf_request request;
};

/* ---- layout -------------------------------------------------------------------------------------------------- */
#ifdef __cplusplus
#define HF_LAYOUT(cond) static_assert(cond, #cond)
#else
#define HF_LAYOUT(cond) _Static_assert(cond, #cond)
#endif
#define HF_AT(type, field, at) HF_LAYOUT(__builtin_offsetof(struct type, field) == (at))

HF_LAYOUT(HF_MOVER_WORDS * 64u >= HF_PROFILE_SLOTS);
HF_LAYOUT(sizeof(struct hf_profile) == 168);
HF_AT(hf_profile, ns_create, 8);
HF_AT(hf_profile, leave_set, 12);
HF_AT(hf_profile, socket_first, 20);
HF_AT(hf_profile, label_ruled, 26);
HF_AT(hf_profile, label_rule, 28);
HF_AT(hf_profile, bpf_commands, 32);
HF_AT(hf_profile, bpf_max_memory, 72);
HF_AT(hf_profile, bpf_quotas, 88);
HF_AT(hf_profile, rules, 92);
HF_AT(hf_profile, mark_by, 160);
HF_LAYOUT(sizeof(struct hf_mover_set) == 136);
HF_LAYOUT(sizeof(struct hf_label_match) == 8);
HF_LAYOUT(sizeof(struct hf_socket_rule) == 96);
HF_AT(hf_socket_rule, rate_period_ns, 16);
HF_AT(hf_socket_rule, own, 32);
HF_AT(hf_tables, generation, 16);
HF_AT(hf_tables, any_visitors_deny, 40);
HF_AT(hf_tables, profiles, 48);
HF_LAYOUT(sizeof(struct hf_request) == 216);
HF_AT(hf_request, subject_set, 16);
HF_AT(hf_request, held_types, 40);
HF_AT(hf_request, src_chain, 48);
HF_AT(hf_request, sock_op, 80);
HF_AT(hf_request, own_labels, 88);
HF_LAYOUT(sizeof(struct hf_verdict) == 24);
HF_AT(hf_verdict, rule, 8);
HF_AT(hf_verdict, set, 16);
HF_LAYOUT(sizeof(struct hf_task) == 32);
HF_LAYOUT(sizeof(struct hf_event) == 368);
HF_AT(hf_event, actor, 64);
HF_AT(hf_event, verdict, 128);
HF_AT(hf_event, request, 152);

#endif /* HOLDFAST_CORE_ABI_H */
