/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The border of a profile with delegated BPF privileges. What is confined where it is attached must not be handed
 * to somebody who is not, and what was never made here must not be had.
 *
 *   bpf_map, bpf_prog    a descriptor of an object that exists, by pin or by id
 *   file_receive         a program's descriptor by message, pidfd_getfd() or a seccomp listener
 *   bpf_token_capable    a token in the hands of a task that is not ruled
 *   file_ioctl           the attachments that are no bpf() command
 */
#ifndef HOLDFAST_BPF_RUN_BORDER_BPF_H
#define HOLDFAST_BPF_RUN_BORDER_BPF_H

#include "bpf/run/delegated.bpf.h"
#include "bpf/lib/syscall.bpf.h"

#define HF_PERF_EVENT_ATTACH 41u

#define HF_PERF_SET_BPF 0x40042408u     /* PERF_EVENT_IOC_SET_BPF */
#define HF_TUN_STEERING_BPF 0x800454e0u /* TUNSETSTEERINGEBPF */
#define HF_TUN_FILTER_BPF 0x800454e1u   /* TUNSETFILTEREBPF */

#define HF_NR_BPF 321
#define HF_NR_BPF_COMPAT 357

/* The command of the bpf() call that current is in. Registers cannot change within it. */
static __always_inline __u32 hf_current_command(void) {
  struct hf_entry entry;
  hf_read_entry(&entry);
  if (entry.nr == (entry.compat ? HF_NR_BPF_COMPAT : HF_NR_BPF)) return hf_entry_arg0(&entry) & HF_COMMAND_MASK;
  return BPF_OBJ_GET; /* by a path in some other call, such as iptables' */
}

__noinline int hf_open_object(__u64 address, __u32 program) {
  const struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  struct hf_session *s = hf_session();
  struct hf_bpf_actor actor = {};
  __u32 command;
  if (!s) return -HF_EPERM;
  hf_know_bpf_actor(s, &actor);
  if (!actor.ruled && (!object || !program)) return 0; /* maps may be looked at from outside */
  if (actor.ruled && object && object->profile == actor.profile && object->tables == actor.slot) return 0;
  command = hf_current_command();
  if (!actor.ruled) {
    if (command != BPF_OBJ_GET) return 0; /* by id: CAP_SYS_ADMIN outside, which can do anything anyway */
    actor.profile = object->profile;
    actor.slot = object->tables;
  }
  return hf_ask_bpf(&actor, HF_VIA_BPF_COMMAND, command, HF_REQ_BPF_FOREIGN, HF_SAY);
}

SEC("lsm/bpf_map")
int BPF_PROG(hf_open_map, struct bpf_map *map, unsigned int fmode) {
  return hf_answer(hf_open_object(hf_plain(map), 0));
}

SEC("lsm/bpf_prog")
int BPF_PROG(hf_open_program, struct bpf_prog *prog) { return hf_answer(hf_open_object(hf_plain(prog), 1)); }

/* An object of the profile reaches a task that is not ruled by it. */
__noinline int hf_leak(__u64 address, __u32 kind) {
  const struct hf_bpf_object *object = bpf_map_lookup_elem(&bpf_objects, &address);
  struct hf_session *s = hf_session();
  struct hf_bpf_actor actor = {};
  if (!s) return -HF_EPERM;
  if (!object) return 0;
  hf_know_bpf_actor(s, &actor);
  if (actor.ruled && actor.profile == object->profile && actor.slot == object->tables) return 0;
  actor.profile = object->profile;
  actor.slot = object->tables;
  return hf_ask_bpf(&actor, HF_VIA_BPF_COMMAND, kind, HF_REQ_BPF_FOREIGN, HF_SAY);
}

SEC("lsm/file_receive")
int BPF_PROG(hf_file_received, struct file *file) {
  void *data = 0;
  bpf_core_read(&data, sizeof(data), &file->private_data);
  return hf_answer(hf_leak((__u64)data, BPF_OBJ_GET));
}

SEC("lsm/bpf_token_capable")
int BPF_PROG(hf_token_used, const struct bpf_token *token, int cap) {
  return hf_answer(hf_leak(hf_plain(token), BPF_TOKEN_CREATE));
}

static __always_inline int hf_ioctl(unsigned int command) {
  struct hf_bpf_actor actor = {};
  struct hf_session *s = hf_session();
  if (command != HF_PERF_SET_BPF && command != HF_TUN_STEERING_BPF && command != HF_TUN_FILTER_BPF) return 0;
  if (!s) return -HF_EPERM;
  hf_know_bpf_actor(s, &actor);
  if (!actor.ruled) return 0;
  if (command == HF_PERF_SET_BPF)
    return hf_ask_bpf(&actor, HF_VIA_BPF_ATTACH, HF_PERF_EVENT_ATTACH, HF_REQ_BPF_OUTSIDE, HF_SAY);
  return hf_ask_bpf(&actor, HF_VIA_BPF_COMMAND, BPF_PROG_ATTACH, HF_REQ_BPF_OUTSIDE, HF_SAY);
}

SEC("lsm/file_ioctl")
int BPF_PROG(hf_file_ioctl, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(hf_ioctl(command));
}

/* 32-bit calls have a hook of their own from 6.8 on. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(hf_file_ioctl_compat, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(hf_ioctl(command));
}

#endif /* HOLDFAST_BPF_RUN_BORDER_BPF_H */
