/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The use of delegated BPF privileges.
 *
 * A token says what may be made. The rest is decided here: how much of it, and where it is attached.
 *
 *   bpf                     every command, before the kernel looks at it: what is not delegated is refused with
 *                           the errno that the kernel would give, and an event that names what is lacking
 *   bpf_map_create,         what really was made, by whichever token: counted against the quota
 *   bpf_prog_load
 *   bpf_*_free              and when it is gone (in a worker: nothing of current counts there)
 *
 * What crosses the profile's border is in border.bpf.h.
 *
 * Ruled are members, and whoever else sits in the sandbox's user namespace, since tokens are good there. A visitor
 * may make what is delegated, but attach nothing: it has no cgroup of its own here.
 */
#ifndef HOLDFAST_BPF_RUN_DELEGATED_BPF_H
#define HOLDFAST_BPF_RUN_DELEGATED_BPF_H

#include "bpf/lib/attach_target.bpf.h"
#include "bpf/run/decision.bpf.h"
#include "core/bpf_memory.h"

#define HF_COMMAND_MASK 0xffff /* 7.3 has flags above */
#define HF_CGROUP_LINK 3u      /* BPF_LINK_TYPE_CGROUP */
#define HF_NO_PROGRAM (~0u)
#define HF_LAST_HARMLESS_COMMAND 37u /* 38 associates a program with a struct_ops map */
#define HF_PROGRAM_EXT 28u           /* BPF_PROG_TYPE_EXT: attaches to a program, whatever the attach type says */

const volatile struct hf_bpf_limits hf_bpf_limits SEC(".rodata.bpf") = {};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_BPF_OBJECTS_MAX);
  __type(key, __u64);
  __type(value, struct hf_bpf_object);
} bpf_objects SEC(".maps");

struct hf_locked_usage {
  struct bpf_spin_lock lock;
  __u32 pad0;
  struct hf_bpf_usage usage;
};

/* By HF_TABLES_*. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_TABLES_SLOTS);
  __type(key, __u32);
  __type(value, struct hf_locked_usage);
} bpf_usage SEC(".maps");

/* A typed pointer as the plain number that keys and arguments are. */
static __always_inline __u64 hf_plain(const void *pointer) {
  __u64 number = 0;
  bpf_probe_read_kernel(&number, sizeof(number), &pointer);
  return number;
}

/* ---- deciding -------------------------------------------------------------------------------------------- */

/* Not a function of its own as for the other hooks: 6.1 counts the stack of all calls together. */
static __always_inline void hf_judge_bpf(struct hf_request *r, struct hf_verdict *v, __u32 slot) {
  const struct hf_tables *t = hf_tables_at(slot);
  if (t) {
    hf_decide_some(t, r, 1u << HF_OP_BPF, v);
  } else {
    r->flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(v, HF_REASON_FACTS_MISSING);
  }
}

/* Silent: only refusals are counted and reported; what is let through comes to a later decision point. */
__noinline int hf_conclude_bpf(struct hf_request *r, struct hf_context *context) {
  struct hf_session *s = hf_session();
  struct hf_verdict v = {};
  if (!r || !context || !s) return -HF_EPERM;
  hf_judge_bpf(r, &v, context->slot);
  if (context->voice == HF_SAY || v.action == HF_DENY) {
    hf_count_decision(&s->totals.decisions, &v);
    if (v.log) hf_report(s, r, &v, context);
  }
  return hf_enforced_error(&v) ? -HF_EPERM : 0;
}

struct hf_bpf_actor {
  __u32 ruled;
  __u32 own_files; /* 1: a member whose descriptors nobody else could ever change */
  __u32 slot;
  __u16 profile;
  __u16 pad0;
  __u32 flags; /* HF_REQ_* that hold for each of its questions */
  __u32 pad1;
  __u64 target; /* id of the cgroup that the command is about */
};

static __always_inline void hf_know_bpf_actor(const struct hf_session *s, struct hf_bpf_actor *actor) {
  struct hf_member *member = hf_member_of(bpf_get_current_task());
  actor->slot = HF_TABLES_POLICY;
  if (member) {
    if (hf_not_yet_ruled(s, member)) return;
    actor->own_files = !member->files_shared;
    actor->ruled = 1;
    actor->slot = member->tables;
    actor->profile = member->profile;
  } else if (s->tracking.any) {
    struct hf_held held = {};
    hf_derive_current(&held, HF_NO_PROFILE);
    actor->flags = held.flags & HF_REQ_FACTS_MISSING;
    actor->profile = held.owner;
    actor->ruled = (held.types & HF_NS_USER) || actor->flags;
  }
}

static __always_inline int hf_ask_bpf(const struct hf_bpf_actor *actor, __u16 way, __u32 value, __u32 flags,
                                      __u32 voice) {
  struct hf_request r = {.op = HF_OP_BPF, .via = way, .bpf_value = value, .subject = actor->profile};
  struct hf_context context = {.voice = voice, .target = actor->target};
  context.task = bpf_get_current_task();
  context.slot = actor->slot;
  r.flags = actor->flags | flags;
  return hf_conclude_bpf(&r, &context);
}

#define HF_COUNT_ATTACHED 0u
#define HF_COUNT_TOKENS 1u

static __always_inline struct hf_locked_usage *hf_usage_of(__u32 slot) {
  return bpf_map_lookup_elem(&bpf_usage, &slot);
}

static __always_inline void hf_count_one(__u32 slot, __u32 what) {
  struct hf_locked_usage *locked = hf_usage_of(slot);
  if (!locked) return;
  if (what == HF_COUNT_TOKENS)
    __sync_fetch_and_add(&locked->usage.tokens_made, 1);
  else
    __sync_fetch_and_add(&locked->usage.attached, 1);
}

/* ---- commands --------------------------------------------------------------------------------------------- */

/* The attach types of programs on cgroups; every other kind of attachment is about something else. */
static __always_inline int hf_attaches_to_cgroup(__u32 type) {
  if (type == BPF_CGROUP_INET_INGRESS || type == BPF_CGROUP_INET_EGRESS || type == BPF_CGROUP_INET_SOCK_CREATE ||
      type == BPF_CGROUP_SOCK_OPS || type == BPF_CGROUP_DEVICE || type == BPF_LSM_CGROUP)
    return 1;
  if (type >= BPF_CGROUP_INET4_BIND && type <= BPF_CGROUP_INET6_POST_BIND) return 1;
  if (type >= BPF_CGROUP_UDP4_SENDMSG && type <= BPF_CGROUP_SYSCTL) return 1;
  if (type >= BPF_CGROUP_UDP4_RECVMSG && type <= BPF_CGROUP_SETSOCKOPT) return 1;
  if (type >= BPF_CGROUP_INET4_GETPEERNAME && type <= BPF_CGROUP_INET_SOCK_RELEASE) return 1;
  return type >= BPF_CGROUP_UNIX_CONNECT && type <= BPF_CGROUP_UNIX_GETSOCKNAME;
}

static __always_inline __u32 hf_attr(const void *attr, __u32 offset) {
  __u32 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), attr + offset);
  return value;
}
#define HF_ATTR(field) hf_attr(attr, __builtin_offsetof(union bpf_attr, field))

static __always_inline int hf_is_freplace(__u32 program_fd) {
  const struct bpf_prog *program = hf_private_data(hf_own_file(program_fd));
  __u32 type = HF_PROGRAM_EXT;
  if (program) bpf_core_read(&type, sizeof(type), &program->type);
  return type == HF_PROGRAM_EXT;
}

/*
 * HF_REQ_BPF_OUTSIDE, unless the attachment is proven to be to the command's own cgroup; which cgroup it is, in
 * actor->target. Global functions, as hf_ask_bpf()'s request takes half of what the stack of all calls may be.
 */
__noinline int hf_reach(struct hf_bpf_actor *actor, __u32 type, __u32 program_fd, __u32 target_fd) {
  const struct hf_session *s = hf_session();
  const struct cgroup *cgroup;
  if (!actor || !s || !actor->own_files || !hf_attaches_to_cgroup(type)) return HF_REQ_BPF_OUTSIDE;
  cgroup = hf_cgroup_of_file(hf_own_file(target_fd));
  if (!cgroup) return HF_REQ_BPF_OUTSIDE;
  actor->target = hf_cgroup_id(cgroup);
  if (program_fd != HF_NO_PROGRAM && hf_is_freplace(program_fd)) return HF_REQ_BPF_OUTSIDE;
  return hf_is_own_cgroup(s, cgroup) ? 0 : HF_REQ_BPF_OUTSIDE;
}

__noinline int hf_reach_of_link(struct hf_bpf_actor *actor, __u32 link_fd) {
  const struct hf_session *s = hf_session();
  const struct bpf_cgroup_link *link;
  const struct cgroup *cgroup = 0;
  __u32 type = 0;
  if (!actor || !s || !actor->own_files) return HF_REQ_BPF_OUTSIDE;
  link = hf_private_data(hf_own_file(link_fd));
  if (!link) return HF_REQ_BPF_OUTSIDE;
  bpf_core_read(&type, sizeof(type), &link->link.type);
  if (type != HF_CGROUP_LINK) return HF_REQ_BPF_OUTSIDE;
  bpf_core_read(&cgroup, sizeof(cgroup), &link->cgroup);
  if (cgroup) actor->target = hf_cgroup_id(cgroup);
  return hf_is_own_cgroup(s, cgroup) ? 0 : HF_REQ_BPF_OUTSIDE;
}

/* What a command reaches, and what it brings in, by itself. */
static __always_inline __u32 hf_command_flags(struct hf_bpf_actor *actor, __u32 cmd, const void *attr) {
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
      return hf_reach_of_link(actor, HF_ATTR(link_update.link_fd)); /* the first field of both */
    default:
      return cmd > HF_LAST_HARMLESS_COMMAND ? HF_REQ_BPF_OUTSIDE : 0;
  }
}

static __always_inline int hf_attach_command(struct hf_bpf_actor *actor, __u32 cmd, const void *attr) {
  int with_link = cmd == BPF_LINK_CREATE;
  __u32 type = with_link ? HF_ATTR(link_create.attach_type) : HF_ATTR(attach_type);
  __u32 target_fd = with_link ? HF_ATTR(link_create.target_fd) : HF_ATTR(target_fd);
  __u32 program_fd = with_link ? HF_ATTR(link_create.prog_fd) : HF_ATTR(attach_bpf_fd);
  if (cmd == BPF_PROG_DETACH) program_fd = HF_NO_PROGRAM;
  actor->flags |= hf_reach(actor, type, program_fd, target_fd);
  if (hf_ask_bpf(actor, HF_VIA_BPF_ATTACH, type, 0, HF_SAY)) return -HF_EPERM;
  if (cmd != BPF_PROG_DETACH) hf_count_one(actor->slot, HF_COUNT_ATTACHED);
  return 0;
}

__noinline int hf_command(struct hf_bpf_actor *actor, __u32 cmd, __u64 at) {
  const void *attr = (const void *)at;
  __u32 flags;
  if (!actor) return -HF_EPERM;
  flags = hf_command_flags(actor, cmd, attr);
  if (hf_ask_bpf(actor, HF_VIA_BPF_COMMAND, cmd, flags, cmd == BPF_BTF_LOAD ? HF_SAY : HF_SILENT)) return -HF_EPERM;
  if (cmd == BPF_MAP_CREATE) return hf_ask_bpf(actor, HF_VIA_BPF_MAP, HF_ATTR(map_type), 0, HF_SILENT);
  if (cmd == BPF_PROG_LOAD) {
    if (hf_ask_bpf(actor, HF_VIA_BPF_PROGRAM, HF_ATTR(prog_type), 0, HF_SILENT)) return -HF_EPERM;
    return hf_ask_bpf(actor, HF_VIA_BPF_ATTACH, HF_ATTR(expected_attach_type), 0, HF_SILENT);
  }
  if (cmd == BPF_LINK_CREATE || cmd == BPF_PROG_ATTACH || cmd == BPF_PROG_DETACH)
    return hf_attach_command(actor, cmd, attr);
  return 0;
}

SEC("lsm/bpf")
int BPF_PROG(hf_delegated, int cmd, union bpf_attr *attr, unsigned int size, hf_maybe_bool kernel) {
  struct hf_bpf_actor actor = {};
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  hf_know_bpf_actor(s, &actor);
  if (!actor.ruled) return 0;
  return hf_answer(hf_command(&actor, cmd & HF_COMMAND_MASK, hf_plain(attr)));
}

/* ---- what is made ----------------------------------------------------------------------------------------- */

/* Takes one map or program, and its memory, or nothing. HF_REQ_OVER_*: what there is too much of. */
__noinline int hf_take(__u32 slot, __u16 profile, __u32 way, __u64 bytes) {
  struct hf_locked_usage *locked = hf_usage_of(slot);
  const struct hf_tables *t = hf_tables_at(slot);
  const struct hf_profile *p = t ? hf_profile_at(t, profile) : 0;
  int map = way == HF_VIA_BPF_MAP;
  __u64 *count, *most, *made;
  __u64 max_count, max_memory;
  int over = 0;
  if (!locked || !p) return HF_REQ_FACTS_MISSING;
  max_count = map ? p->bpf_max_maps : p->bpf_max_programs;
  if (!(p->bpf_quotas & (map ? HF_QUOTA_MAPS : HF_QUOTA_PROGRAMS))) max_count = ~0ull;
  max_memory = p->bpf_quotas & HF_QUOTA_MEMORY ? p->bpf_max_memory : HF_UNBOUNDED;
  if (bytes == HF_UNBOUNDED && max_memory == HF_UNBOUNDED) bytes = 0; /* nobody asks */
  count = map ? &locked->usage.maps : &locked->usage.programs;
  most = map ? &locked->usage.most_maps : &locked->usage.most_programs;
  made = map ? &locked->usage.maps_made : &locked->usage.programs_made;
  bpf_spin_lock(&locked->lock);
  if (*count >= max_count) over |= HF_REQ_OVER_QUOTA;
  if (bytes > max_memory || locked->usage.memory > max_memory - bytes) over |= HF_REQ_OVER_MEMORY;
  if (!over) {
    *count += 1;
    *made += 1;
    if (*count > *most) *most = *count;
    locked->usage.memory += bytes;
    if (locked->usage.memory > locked->usage.most_memory) locked->usage.most_memory = locked->usage.memory;
  }
  bpf_spin_unlock(&locked->lock);
  return over;
}

static __always_inline void hf_untake(const struct hf_bpf_object *was) {
  struct hf_locked_usage *locked = hf_usage_of(was->tables);
  if (!locked || was->kind == HF_VIA_BPF_COMMAND) return;
  bpf_spin_lock(&locked->lock);
  if (was->kind == HF_VIA_BPF_MAP)
    locked->usage.maps -= 1;
  else
    locked->usage.programs -= 1;
  locked->usage.memory -= was->bytes;
  bpf_spin_unlock(&locked->lock);
}

__noinline int hf_give_back(__u64 address) {
  struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  struct hf_bpf_object was;
  if (!object) return 0;
  was = *object;
  if (!bpf_map_delete_elem(&bpf_objects, &address)) hf_untake(&was);
  return 0;
}

/* Records the object, then decides with the quota's word. An audited one is over it, and counted nowhere. */
__noinline int hf_make(__u64 address, __u32 way, __u32 kind, __u64 bytes) {
  struct hf_bpf_object object = {.bytes = bytes == HF_UNBOUNDED ? 0 : bytes, .kind = way};
  struct hf_bpf_actor actor = {};
  struct hf_session *s = hf_session();
  __u32 flags = 0;
  if (!s) return -HF_EPERM;
  hf_know_bpf_actor(s, &actor);
  if (!actor.ruled) return 0;
  object.profile = actor.profile;
  object.tables = actor.slot;
  if (way != HF_VIA_BPF_COMMAND) flags = hf_take(actor.slot, actor.profile, way, bytes);
  if (flags) object.kind = HF_VIA_BPF_COMMAND; /* known, and counted nowhere */
  if (bpf_map_update_elem(&bpf_objects, &address, &object, BPF_ANY)) {
    flags |= HF_REQ_FACTS_MISSING;
    hf_untake(&object);
  }
  if (hf_ask_bpf(&actor, way, kind, flags, HF_SAY)) return -HF_EPERM;
  if (way == HF_VIA_BPF_COMMAND) hf_count_one(actor.slot, HF_COUNT_TOKENS);
  return 0;
}

SEC("lsm/bpf_map_create")
int BPF_PROG(hf_map_created, struct bpf_map *map, union bpf_attr *attr, struct bpf_token *token, hf_maybe_bool kernel) {
  struct hf_map_shape shape = {};
  bpf_core_read(&shape.type, sizeof(shape.type), &map->map_type);
  bpf_core_read(&shape.key_size, sizeof(shape.key_size), &map->key_size);
  bpf_core_read(&shape.value_size, sizeof(shape.value_size), &map->value_size);
  bpf_core_read(&shape.max_entries, sizeof(shape.max_entries), &map->max_entries);
  return hf_answer(hf_make(hf_plain(map), HF_VIA_BPF_MAP, shape.type, hf_map_bytes(&shape, hf_bpf_limits.cpus)));
}

SEC("lsm/bpf_map_free")
int BPF_PROG(hf_map_gone, struct bpf_map *map) { return hf_give_back(hf_plain(map)); }

SEC("lsm/bpf_prog_load")
int BPF_PROG(hf_program_loaded, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
             hf_maybe_bool kernel) {
  return hf_answer(
      hf_make(hf_plain(prog), HF_VIA_BPF_PROGRAM, HF_ATTR(prog_type), hf_program_bytes(HF_ATTR(insn_cnt))));
}

SEC("lsm/bpf_prog_free")
int BPF_PROG(hf_program_gone, struct bpf_prog *prog) { return hf_give_back(hf_plain(prog)); }

SEC("lsm/bpf_token_create")
int BPF_PROG(hf_token_created, struct bpf_token *token, union bpf_attr *attr, const struct path *path) {
  return hf_answer(hf_make(hf_plain(token), HF_VIA_BPF_COMMAND, BPF_TOKEN_CREATE, 0));
}

SEC("lsm/bpf_token_free")
int BPF_PROG(hf_token_gone, struct bpf_token *token) { return hf_give_back(hf_plain(token)); }

#endif /* HOLDFAST_BPF_RUN_DELEGATED_BPF_H */
