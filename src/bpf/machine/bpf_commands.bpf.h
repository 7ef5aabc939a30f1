/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The use of BPF privileges, under rules about bpf.
 *
 * In a run, a token says what may be made; a service has privileges of its own. What may be made, how much of it, and
 * where it is attached is decided here:
 *
 *   bpf                     every command, before the kernel looks at it: what is not delegated is refused with
 *                           the errno that the kernel would give, and an event that names what is lacking
 *   bpf_map_create,         what really was made, by whichever token: counted against the quota
 *   bpf_prog_load
 *   bpf_*_free              and when it is gone (in a worker: nothing of current counts there)
 *
 * What crosses the border of a service or a session is in bpf_border.bpf.h.
 *
 * Ruled are tasks whose profile has such rules, and tasks in the user namespace of a sandbox whose profile has, since
 * tokens are good there. Such a visitor may make what is delegated, but attach nothing: it has no cgroup of its own here.
 * Each layer (core/layers.h) that rules the task decides, and has quotas of its own.
 */
#ifndef HOLDFAST_BPF_MACHINE_BPF_COMMANDS_BPF_H
#define HOLDFAST_BPF_MACHINE_BPF_COMMANDS_BPF_H

#include "bpf/machine/attach_target.bpf.h"
#include "bpf/machine/machine_namespace.bpf.h"
#include "core/bpf_memory.h"
#include "core/bpf_objects.h"

#define COMMAND_MASK 0xffff /* 7.3 has flags above */
#define CGROUP_LINK 3u      /* BPF_LINK_TYPE_CGROUP */
#define NO_PROGRAM (~0u)
#define LAST_HARMLESS_COMMAND 37u /* 38 associates a program with a struct_ops map */
#define PROGRAM_EXT 28u           /* BPF_PROG_TYPE_EXT: attaches to a program, whatever the attach type says */

/* Possible processors, from user space before loading. */
const volatile __u32 possible_cpus = 1;

/* Written by user space as namespace_rules is: some profile has rules about bpf. 0: no task needs the rest. */
__u32 bpf_rules;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_BPF_OBJECTS_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct hf_bpf_object);
} bpf_objects SEC(".maps");

struct locked_usage {
  struct bpf_spin_lock lock;
  __u32 pad0;
  struct hf_bpf_usage usage;
};

/* By what the objects belong to: a cgroup, a mark, or a session (HF_SET_OF_*). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_BPF_USERS_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct locked_usage);
} bpf_usage SEC(".maps");

static const __u64 no_usage[sizeof(struct locked_usage) / sizeof(__u64)];
static const struct hf_bpf_object no_object;

/* ---- who acts -------------------------------------------------------------------------------------------- */

/* The current task, under one layer. */
struct bpf_actor {
  struct hf_subject subject;
  struct hf_held held;
  __u64 set;    /* what its objects belong to */
  __u64 owner;  /* the profile, as records of objects have it */
  __u64 target; /* id of the cgroup that the command is about */
  __u32 flags;  /* HF_REQ_* that hold for each of its questions */
  __u16 profile;
  __u8 ruled;
  __u8 visitor; /* 1: it has no cgroup of its own here */
};

static __always_inline int rules_bpf(const struct hf_tables *t, __u16 profile) {
  const struct hf_profile *p = profile == HF_NO_PROFILE ? 0 : hf_profile_at(t, profile);
  return p && p->bpf_ruled;
}

static __always_inline void know_ruled_subject(struct bpf_actor *actor) {
  actor->ruled = 1;
  actor->profile = actor->subject.profile;
  actor->set = actor->subject.set;
  actor->owner = owner_id_of(&actor->held, actor->subject.profile);
}

static __always_inline void know_ruled_visitor(struct bpf_actor *actor) {
  actor->ruled = 1;
  actor->visitor = 1;
  actor->profile = actor->held.owner;
  actor->set = actor->held.set;
  actor->owner = actor->held.owner_id;
}

/* Fills in who the current task is under the layer in this slot; held.next is the next layer that has a say. */
__noinline int know_bpf_actor(struct bpf_actor *actor, __u32 slot) {
  const struct hf_tables *t;
  __u32 first, uid;
  if (!actor) return 0;
  first = actor->held.first;
  uid = actor->held.uid;
  __builtin_memset(actor, 0, sizeof(*actor));
  actor->held.uid = uid;
  turn_to(&actor->held, slot, first);
  t = know_subject(&actor->subject, &actor->held, bpf_get_current_task());
  if (!actor->subject.concerned) return 0;
  if (any_tracked()) derive_current(&actor->held, actor->subject.profile);
  if (slot && session_has_no_say(slot, bpf_get_current_task())) return 0;
  actor->flags = actor->held.flags & HF_REQ_FACTS_MISSING;
  if (!t || actor->subject.unknown) actor->flags |= HF_REQ_FACTS_MISSING;
  if (!t || actor->flags)
    actor->ruled = 1;
  else if (rules_bpf(t, actor->subject.profile))
    know_ruled_subject(actor);
  else if ((actor->held.types & HF_NS_USER) && rules_bpf(t, actor->held.owner))
    know_ruled_visitor(actor);
  return 0;
}

/* ---- deciding -------------------------------------------------------------------------------------------- */

static __noinline int tell_bpf(const struct hf_bpf_question *q, const struct hf_verdict *v,
                               const struct bpf_actor *actor) {
  struct hf_event *e;
  if (!q || !v || !actor) return 0;
  e = begin_telling(v, HF_OP_BPF, actor->held.generation, actor->held.slot, actor->target);
  if (!e) return 0;
  e->request.op = HF_OP_BPF;
  e->request.via = q->via;
  e->request.flags = q->flags;
  e->request.subject = q->subject;
  e->request.bpf_value = q->value;
  bpf_ringbuf_submit(e, 0);
  return 0;
}

/* Silent: only refusals are counted and reported; what is let through comes to a later decision point. */
__noinline int ask_bpf(struct bpf_actor *actor, __u32 way, __u32 value, __u32 flags, __u32 report_mode) {
  struct hf_bpf_question q = {.value = value, .via = way};
  struct hf_verdict v = {};
  const struct hf_tables *t;
  if (!actor) return -HF_EPERM;
  q.subject = actor->profile;
  q.flags = actor->flags | flags;
  t = tables_of_layer(actor->held.slot);
  if (t) {
    hf_decide_bpf_question(t, &q, &v);
  } else {
    q.flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(&v, HF_REASON_FACTS_MISSING);
  }
  if (report_mode == HF_REPORT || v.action == HF_DENY) tell_bpf(&q, &v, actor);
  return hf_enforced_error(&v) ? -HF_EPERM : 0;
}

/* ---- quotas ---------------------------------------------------------------------------------------------- */

static __always_inline struct locked_usage *usage_of(__u64 set) { return bpf_map_lookup_elem(&bpf_usage, &set); }

static __always_inline struct locked_usage *make_usage_of(__u64 set) {
  struct locked_usage *locked = usage_of(set);
  if (locked || !set) return locked;
  bpf_map_update_elem(&bpf_usage, &set, no_usage, BPF_NOEXIST);
  return usage_of(set);
}

static __always_inline void count_attached(__u64 set) {
  struct locked_usage *locked = make_usage_of(set);
  if (locked) count(&locked->usage.attached);
}

/* Takes one map or program, and its memory, or nothing. HF_REQ_OVER_*: what there is too much of. */
__noinline int take_bpf(struct bpf_actor *actor, __u32 way, __u64 bytes) {
  struct locked_usage *locked;
  const struct hf_tables *t;
  const struct hf_profile *p;
  int map = way == HF_VIA_BPF_MAP;
  __u64 *number, *most, *made;
  __u64 max_count, max_memory;
  int over = 0;
  if (!actor) return HF_REQ_FACTS_MISSING;
  locked = make_usage_of(actor->set);
  t = tables_of_layer(actor->held.slot);
  p = t ? hf_profile_at(t, actor->profile) : 0;
  if (!locked || !p) return HF_REQ_FACTS_MISSING;
  max_count = map ? p->bpf_max_maps : p->bpf_max_programs;
  if (!(p->bpf_quotas & (map ? HF_QUOTA_MAPS : HF_QUOTA_PROGRAMS))) max_count = ~0ull;
  max_memory = p->bpf_quotas & HF_QUOTA_MEMORY ? p->bpf_max_memory : HF_UNBOUNDED;
  if (bytes == HF_UNBOUNDED && max_memory == HF_UNBOUNDED) bytes = 0; /* no rule asks */
  number = map ? &locked->usage.maps : &locked->usage.programs;
  most = map ? &locked->usage.most_maps : &locked->usage.most_programs;
  made = map ? &locked->usage.maps_made : &locked->usage.programs_made;
  bpf_spin_lock(&locked->lock);
  if (*number >= max_count) over |= HF_REQ_OVER_QUOTA;
  if (bytes > max_memory || locked->usage.memory > max_memory - bytes) over |= HF_REQ_OVER_MEMORY;
  if (!over) {
    *number += 1;
    *made += 1;
    if (*number > *most) *most = *number;
    locked->usage.memory += bytes;
    if (locked->usage.memory > locked->usage.most_memory) locked->usage.most_memory = locked->usage.memory;
  }
  bpf_spin_unlock(&locked->lock);
  return over;
}

/* `counted`: it was taken by take_bpf(). */
__noinline int give_back_to(__u64 set, __u32 kind, __u64 bytes, __u32 counted) {
  struct locked_usage *locked = usage_of(set);
  if (!locked) return 0; /* of a session that has ended */
  __sync_fetch_and_add(&locked->usage.objects, -1ull);
  if (!counted) return 0;
  bpf_spin_lock(&locked->lock);
  if (kind == HF_VIA_BPF_MAP)
    locked->usage.maps -= 1;
  else
    locked->usage.programs -= 1;
  locked->usage.memory -= bytes;
  bpf_spin_unlock(&locked->lock);
  return 0;
}

/* When it is gone. */
__noinline int give_back(__u64 address) {
  struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  struct hf_bpf_object was;
  if (!object) return 0;
  was = *object;
  if (bpf_map_delete_elem(&bpf_objects, &address)) return 0;
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++)
    if (was.of[i].owner) give_back_to(was.of[i].set, was.kind, was.bytes, was.counted >> i & 1);
  return 0;
}

/* ---- commands --------------------------------------------------------------------------------------------- */

/* The attach types of programs on cgroups; every other kind of attachment is about something else. */
static __always_inline int attaches_to_cgroup(__u32 type) {
  if (type == BPF_CGROUP_INET_INGRESS || type == BPF_CGROUP_INET_EGRESS || type == BPF_CGROUP_INET_SOCK_CREATE ||
      type == BPF_CGROUP_SOCK_OPS || type == BPF_CGROUP_DEVICE || type == BPF_LSM_CGROUP)
    return 1;
  if (type >= BPF_CGROUP_INET4_BIND && type <= BPF_CGROUP_INET6_POST_BIND) return 1;
  if (type >= BPF_CGROUP_UDP4_SENDMSG && type <= BPF_CGROUP_SYSCTL) return 1;
  if (type >= BPF_CGROUP_UDP4_RECVMSG && type <= BPF_CGROUP_SETSOCKOPT) return 1;
  if (type >= BPF_CGROUP_INET4_GETPEERNAME && type <= BPF_CGROUP_INET_SOCK_RELEASE) return 1;
  return type >= BPF_CGROUP_UNIX_CONNECT && type <= BPF_CGROUP_UNIX_GETSOCKNAME;
}

static __always_inline __u32 attr_at(const void *attr, __u32 offset) {
  __u32 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), attr + offset);
  return value;
}
#define ATTR(field) attr_at(attr, __builtin_offsetof(union bpf_attr, field))

static __always_inline int is_freplace(__u32 program_fd) {
  const struct bpf_prog *program = private_data(own_file(program_fd));
  __u32 type = PROGRAM_EXT;
  if (program) bpf_core_read(&type, sizeof(type), &program->type);
  return type == PROGRAM_EXT;
}

/* The cgroup that a session was started in, or that of a service's binding; 0: none that is not the whole machine. */
static __always_inline __u64 home_of(const struct bpf_actor *actor) {
  const struct hf_session_state *session;
  if (actor->visitor) return 0;
  if (!actor->held.slot) return actor->set & (HF_SET_OF_MARK | HF_SET_OF_SESSION) ? 0 : actor->set;
  session = session_at(actor->held.slot);
  return session ? session->home : 0;
}

struct search_home {
  __u64 cgroup;
  __u64 home;
  __u32 found;
  __u32 pad0;
};

static long look_for_home(__u32 level, struct search_home *search) {
  if (cgroup_id(path_ancestor(search->cgroup, level)) != search->home) return 0;
  search->found = 1;
  return 1;
}

/* Is the cgroup that one, or below it? Where the task is now does not count: root moves itself anywhere. */
__noinline int is_at_home(struct bpf_actor *actor, __u64 cgroup) {
  struct search_home search = {.cgroup = cgroup};
  if (!actor || !cgroup) return 0;
  search.home = home_of(actor);
  if (search.home) bpf_loop(cgroup_level(cgroup) + 1, look_for_home, &search, 0);
  return search.found;
}

/* HF_REQ_BPF_OUTSIDE, unless the attachment is proven to be to its own cgroup; which cgroup it is, in actor->target. */
__noinline int reach_of(struct bpf_actor *actor, __u32 type, __u32 program_fd, __u32 target_fd) {
  __u64 cgroup;
  if (!actor || !attaches_to_cgroup(type)) return HF_REQ_BPF_OUTSIDE;
  cgroup = hf_number(cgroup_of_file(own_file(target_fd)));
  if (!cgroup) return HF_REQ_BPF_OUTSIDE;
  actor->target = cgroup_id(cgroup);
  if (program_fd != NO_PROGRAM && is_freplace(program_fd)) return HF_REQ_BPF_OUTSIDE;
  return is_at_home(actor, cgroup) ? 0 : HF_REQ_BPF_OUTSIDE;
}

__noinline int reach_of_link(struct bpf_actor *actor, __u32 link_fd) {
  const struct bpf_cgroup_link *link;
  const struct cgroup *cgroup = 0;
  __u32 type = 0;
  if (!actor) return HF_REQ_BPF_OUTSIDE;
  link = private_data(own_file(link_fd));
  if (!link) return HF_REQ_BPF_OUTSIDE;
  bpf_core_read(&type, sizeof(type), &link->link.type);
  if (type != CGROUP_LINK) return HF_REQ_BPF_OUTSIDE;
  bpf_core_read(&cgroup, sizeof(cgroup), &link->cgroup);
  if (!cgroup) return HF_REQ_BPF_OUTSIDE;
  actor->target = cgroup_id((__u64)cgroup);
  return is_at_home(actor, (__u64)cgroup) ? 0 : HF_REQ_BPF_OUTSIDE;
}

/*
 * Netlink attaches programs of these types, to whatever the task administers, and no hook sees it. A run has a user
 * namespace of its own, and so administers nothing outside; a service may.
 */
static __always_inline __u32 reach_of_type(const struct bpf_actor *actor, __u32 type) {
  if (actor->held.slot) return 0;
  switch (type) {
    case BPF_PROG_TYPE_SCHED_CLS:
    case BPF_PROG_TYPE_SCHED_ACT:
    case BPF_PROG_TYPE_XDP:
    case BPF_PROG_TYPE_LWT_IN:
    case BPF_PROG_TYPE_LWT_OUT:
    case BPF_PROG_TYPE_LWT_XMIT:
    case BPF_PROG_TYPE_LWT_SEG6LOCAL:
      return HF_REQ_BPF_OUTSIDE;
    default:
      return 0;
  }
}

/* What a command reaches, and what it brings in, by itself. */
static __always_inline __u32 command_flags(struct bpf_actor *actor, __u32 cmd, const void *attr) {
  switch (cmd) {
    case BPF_PROG_GET_FD_BY_ID:
    case BPF_MAP_GET_FD_BY_ID:
    case BPF_LINK_GET_FD_BY_ID:
      return HF_REQ_BPF_FOREIGN;
    case BPF_RAW_TRACEPOINT_OPEN: /* attaches tracing and lsm programs of every kind */
    case BPF_ITER_CREATE:
      return HF_REQ_BPF_OUTSIDE;
    case BPF_LINK_UPDATE:
    case BPF_LINK_DETACH:
      return reach_of_link(actor, ATTR(link_update.link_fd)); /* the first field of both */
    default:
      return cmd > LAST_HARMLESS_COMMAND ? HF_REQ_BPF_OUTSIDE : 0;
  }
}

static __always_inline int attach_command(struct bpf_actor *actor, __u32 cmd, const void *attr) {
  int with_link = cmd == BPF_LINK_CREATE;
  __u32 type = with_link ? ATTR(link_create.attach_type) : ATTR(attach_type);
  __u32 target_fd = with_link ? ATTR(link_create.target_fd) : ATTR(target_fd);
  __u32 program_fd = with_link ? ATTR(link_create.prog_fd) : ATTR(attach_bpf_fd);
  if (cmd == BPF_PROG_DETACH) program_fd = NO_PROGRAM;
  actor->flags |= reach_of(actor, type, program_fd, target_fd);
  if (ask_bpf(actor, HF_VIA_BPF_ATTACH, type, 0, HF_REPORT)) return -HF_EPERM;
  if (cmd != BPF_PROG_DETACH) count_attached(actor->set);
  return 0;
}

/* Global functions are verified once, not for each layer. */
__noinline int command_in_layer(struct bpf_actor *actor, __u32 cmd, __u64 at) {
  const void *attr = (const void *)at;
  __u32 flags;
  if (!actor) return -HF_EPERM;
  flags = command_flags(actor, cmd, attr);
  if (ask_bpf(actor, HF_VIA_BPF_COMMAND, cmd, flags, cmd == BPF_BTF_LOAD ? HF_REPORT : HF_REPORT_DENIALS))
    return -HF_EPERM;
  if (cmd == BPF_MAP_CREATE) return ask_bpf(actor, HF_VIA_BPF_MAP, ATTR(map_type), 0, HF_REPORT_DENIALS);
  if (cmd == BPF_PROG_LOAD) {
    if (ask_bpf(actor, HF_VIA_BPF_PROGRAM, ATTR(prog_type), reach_of_type(actor, ATTR(prog_type)), HF_REPORT_DENIALS))
      return -HF_EPERM;
    return ask_bpf(actor, HF_VIA_BPF_ATTACH, ATTR(expected_attach_type), 0, HF_REPORT_DENIALS);
  }
  if (cmd == BPF_LINK_CREATE || cmd == BPF_PROG_ATTACH || cmd == BPF_PROG_DETACH)
    return attach_command(actor, cmd, attr);
  return 0;
}

/*
 * Asks each layer that rules the current task, from the lowest slot up, and sets `refused` if one refuses. `question` uses
 * `actor`.
 */
#define ASK_LAYERS(actor, refused, question) \
  do { \
    begin_layers(&(actor).held, bpf_get_current_task()); \
    _Pragma("clang loop unroll(disable)") for (__u32 i_ = 0; i_ < HF_LAYERS_DECIDE; i_++) { \
      know_bpf_actor(&(actor), (actor).held.next); \
      if ((actor).ruled && (question)) (refused) = 1; \
      if ((actor).held.next == HF_NO_LAYER) break; \
    } \
    if ((actor).held.next != HF_NO_LAYER) { \
      count_undecidable(); \
      (refused) = 1; \
    } \
  } while (0)

SEC("lsm/bpf")
int BPF_PROG(bpf_command, int cmd, union bpf_attr *attr, unsigned int size, hf_maybe_bool kernel) {
  struct bpf_actor actor = {};
  __u64 address = hf_number(attr);
  int refused = 0;
  if (!bpf_rules) return 0;
  ASK_LAYERS(actor, refused, command_in_layer(&actor, cmd & COMMAND_MASK, address));
  return hf_answer(refused);
}

/* ---- what is made ----------------------------------------------------------------------------------------- */

/* The record of an object that is being made, with one more owner. 0: there is no room. */
static __always_inline struct hf_bpf_object *record_object(struct bpf_actor *actor, __u64 address, __u32 *index) {
  struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  struct locked_usage *locked = make_usage_of(actor->set);
  if (!locked || !actor->owner || locked->usage.objects >= HF_BPF_OBJECTS_SHARE) return 0;
  if (!object) {
    bpf_map_update_elem(&bpf_objects, &address, &no_object, BPF_NOEXIST);
    object = bpf_map_lookup_elem(&bpf_objects, &address);
  }
  if (!object) return 0;
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++) {
    if (object->of[i].owner) continue;
    object->of[i].set = actor->set;
    object->of[i].owner = actor->owner;
    count(&locked->usage.objects);
    *index = i;
    return object;
  }
  return 0;
}

/* Records the object, then decides with the quota's word. An audited one is over it, and counted nowhere. */
__noinline int make_in_layer(struct bpf_actor *actor, __u64 address, __u32 way, __u32 kind, __u64 bytes) {
  struct hf_bpf_object *object;
  struct locked_usage *locked;
  __u32 flags = 0, index = 0;
  if (!actor) return -HF_EPERM;
  object = record_object(actor, address, &index);
  if (!object) return ask_bpf(actor, way, kind, HF_REQ_FACTS_MISSING, HF_REPORT);
  object->kind = way;
  object->bytes = bytes == HF_UNBOUNDED ? 0 : bytes;
  if (way != HF_VIA_BPF_COMMAND) {
    flags = take_bpf(actor, way, bytes);
    if (!flags) object->counted |= 1u << (index & 7u);
  }
  if (way == HF_VIA_BPF_PROGRAM) flags |= reach_of_type(actor, kind);
  if (ask_bpf(actor, way, kind, flags, HF_REPORT)) return -HF_EPERM;
  locked = way == HF_VIA_BPF_COMMAND ? usage_of(actor->set) : 0;
  if (locked) count(&locked->usage.tokens_made);
  return 0;
}

/* A refused object is freed by the kernel, with its hook. */
__noinline int made_bpf(__u64 address, __u32 way, __u32 kind, __u64 bytes) {
  struct bpf_actor actor = {};
  int refused = 0;
  if (!bpf_rules) return 0;
  ASK_LAYERS(actor, refused, make_in_layer(&actor, address, way, kind, bytes));
  return refused;
}

SEC("lsm/bpf_map_create")
int BPF_PROG(bpf_map_made, struct bpf_map *map, union bpf_attr *attr, struct bpf_token *token, hf_maybe_bool kernel) {
  struct hf_map_shape shape = {};
  if (!bpf_rules) return 0;
  bpf_core_read(&shape.type, sizeof(shape.type), &map->map_type);
  bpf_core_read(&shape.key_size, sizeof(shape.key_size), &map->key_size);
  bpf_core_read(&shape.value_size, sizeof(shape.value_size), &map->value_size);
  bpf_core_read(&shape.max_entries, sizeof(shape.max_entries), &map->max_entries);
  return hf_answer(made_bpf(hf_number(map), HF_VIA_BPF_MAP, shape.type, hf_map_bytes(&shape, possible_cpus)));
}

SEC("lsm/bpf_map_free")
int BPF_PROG(bpf_map_gone, struct bpf_map *map) { return give_back(hf_number(map)); }

SEC("lsm/bpf_prog_load")
int BPF_PROG(bpf_program_made, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
             hf_maybe_bool kernel) {
  return hf_answer(made_bpf(hf_number(prog), HF_VIA_BPF_PROGRAM, ATTR(prog_type), hf_program_bytes(ATTR(insn_cnt))));
}

SEC("lsm/bpf_prog_free")
int BPF_PROG(bpf_program_gone, struct bpf_prog *prog) { return give_back(hf_number(prog)); }

SEC("lsm/bpf_token_create")
int BPF_PROG(bpf_token_made, struct bpf_token *token, union bpf_attr *attr, const struct path *path) {
  return hf_answer(made_bpf(hf_number(token), HF_VIA_BPF_COMMAND, BPF_TOKEN_CREATE, 0));
}

SEC("lsm/bpf_token_free")
int BPF_PROG(bpf_token_gone, struct bpf_token *token) { return give_back(hf_number(token)); }

#endif /* HOLDFAST_BPF_MACHINE_BPF_COMMANDS_BPF_H */
