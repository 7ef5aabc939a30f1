/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The border of a service or session with rules about bpf. What is confined where it is attached must not be handed
 * to a task that is not, and what was never made here must not be had.
 *
 *   bpf_map, bpf_prog    a descriptor of an object that exists, by pin or by id
 *   file_receive         a program's descriptor by message, pidfd_getfd() or a seccomp listener
 *   bpf_token_capable    a token in the hands of a task that is not ruled
 *   file_ioctl           the attachments that are no bpf() command
 */
#ifndef HOLDFAST_BPF_MACHINE_BPF_BORDER_BPF_H
#define HOLDFAST_BPF_MACHINE_BPF_BORDER_BPF_H

#include "bpf/lib/syscall.bpf.h"
#include "bpf/machine/bpf_commands.bpf.h"

#define PERF_EVENT_ATTACH 41u

#define PERF_SET_BPF 0x40042408u     /* PERF_EVENT_IOC_SET_BPF */
#define TUN_STEERING_BPF 0x800454e0u /* TUNSETSTEERINGEBPF */
#define TUN_FILTER_BPF 0x800454e1u   /* TUNSETFILTEREBPF */

#define NR_BPF 321
#define NR_BPF_COMPAT 357

/* The command of the bpf() call that current is in. Registers cannot change within it. */
static __always_inline __u32 current_command(void) {
  struct hf_entry entry;
  hf_read_entry(&entry);
  if (entry.nr == (entry.compat ? NR_BPF_COMPAT : NR_BPF)) return hf_entry_arg0(&entry) & COMMAND_MASK;
  return BPF_OBJ_GET; /* by a path in some other call, such as iptables' */
}

/* A task that this layer rules opens an object. */
__noinline int open_in_layer(struct bpf_actor *actor, __u64 address) {
  const struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  if (!actor) return -HF_EPERM;
  if (object) {
#pragma clang loop unroll(full)
    for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++)
      if (object->of[i].owner && object->of[i].set == actor->set) return 0;
  }
  return ask_bpf(actor, HF_VIA_BPF_COMMAND, current_command(), HF_REQ_BPF_FOREIGN, HF_REPORT);
}

/* Owner number `index` of an object: the current task must be ruled as that one's, or else its rules are asked. */
__noinline int leak_to_current(__u64 address, __u32 index, __u32 kind) {
  const struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  const struct hf_session_state *session;
  struct bpf_actor actor = {};
  __u64 set, owner;
  __u32 slot = 0;
  HF_OPAQUE(index);
  if (!object || index >= HF_LAYERS_DECIDE) return 0;
  set = object->of[index].set;
  owner = object->of[index].owner;
  if (!owner) return 0;
  if (owner & HF_OWNER_IN_SESSION) {
    slot = hf_slot_of_owner(owner);
    session = session_at(slot);
    if (!session || (session->id | HF_SET_OF_SESSION) != set) return 0; /* that one has ended */
  }
  know_bpf_actor(&actor, slot);
  if (actor.ruled && actor.set == set) return 0;
  actor.profile = owner_number_of(&actor.held, owner);
  if (actor.profile == HF_NO_PROFILE) return 0; /* the policy has no such profile any more */
  return ask_bpf(&actor, HF_VIA_BPF_COMMAND, kind, HF_REQ_BPF_FOREIGN, HF_REPORT);
}

/* An object reaches the current task. */
static __always_inline int leak(__u64 address, __u32 kind) {
  int refused = 0;
  if (!bpf_rules || !bpf_map_lookup_elem(&bpf_objects, &address)) return 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++)
    if (leak_to_current(address, i, kind)) refused = 1;
  return refused;
}

__noinline int open_object(__u64 address) {
  struct bpf_actor actor = {};
  int refused = 0;
  if (!bpf_rules) return 0;
  ASK_LAYERS(actor, refused, open_in_layer(&actor, address));
  return refused;
}

/* Maps may be looked at from outside. */
SEC("lsm/bpf_map")
int BPF_PROG(bpf_open_map, struct bpf_map *map, unsigned int fmode) { return hf_answer(open_object(hf_number(map))); }

/* By id: CAP_SYS_ADMIN outside, which can do anything anyway. */
SEC("lsm/bpf_prog")
int BPF_PROG(bpf_open_program, struct bpf_prog *prog) {
  __u64 address = hf_number(prog);
  if (open_object(address)) return hf_answer(1);
  if (current_command() != BPF_OBJ_GET) return 0;
  return hf_answer(leak(address, BPF_OBJ_GET));
}

SEC("lsm/file_receive")
int BPF_PROG(bpf_file_received, struct file *file) {
  void *data = 0;
  if (!bpf_rules) return 0;
  bpf_core_read(&data, sizeof(data), &file->private_data);
  return hf_answer(leak((__u64)data, BPF_OBJ_GET));
}

SEC("lsm/bpf_token_capable")
int BPF_PROG(bpf_token_used, const struct bpf_token *token, int cap) {
  return hf_answer(leak(hf_number(token), BPF_TOKEN_CREATE));
}

static __always_inline int attach_by_ioctl(unsigned int command) {
  struct bpf_actor actor = {};
  int refused = 0;
  __u32 way = command == PERF_SET_BPF ? HF_VIA_BPF_ATTACH : HF_VIA_BPF_COMMAND;
  __u32 value = command == PERF_SET_BPF ? PERF_EVENT_ATTACH : BPF_PROG_ATTACH;
  if (command != PERF_SET_BPF && command != TUN_STEERING_BPF && command != TUN_FILTER_BPF) return 0;
  if (!bpf_rules) return 0;
  ASK_LAYERS(actor, refused, ask_bpf(&actor, way, value, HF_REQ_BPF_OUTSIDE, HF_REPORT));
  return refused;
}

SEC("lsm/file_ioctl")
int BPF_PROG(bpf_file_ioctl, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(attach_by_ioctl(command));
}

/* 32-bit calls have a hook of their own from 6.8 on. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(bpf_file_ioctl_compat, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(attach_by_ioctl(command));
}

#endif /* HOLDFAST_BPF_MACHINE_BPF_BORDER_BPF_H */
