/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Labels that change, on kernels whose sockets have them (from Linux 7.1): who may change them, and how the programs hear
 * of it. Before, the daemon is asked (Machine::set_labels()).
 *
 * Anybody may label a socket that a task with rules then uses, and a policy with rules may become live after that, so
 * every label of the machine is recorded, with or without rules. The entry is made before the kernel sets the label, so
 * that what has no room for one is not set: afterwards it could not be refused any more.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_LABEL_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_LABEL_BPF_H

#include "bpf/machine/machine_socket.bpf.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define USER_PREFIX 0x2e72657375ull /* "user." */
#define USER_PREFIX_MASK 0xffffffffffull
#define ENOMEM 12

static __always_inline int is_socket(const struct inode *inode) { return (inode->i_mode & S_IFMT) == S_IFSOCK; }

/* Puts the name into the text: 1 when it is one of a label, 0 when not, -1 when it cannot be read. */
static __noinline int read_label_name(struct hf_sip_text *text, __u64 name) {
  long length;
  if (!text) return -1;
  __builtin_memset(text, 0, sizeof(*text));
  length = bpf_probe_read_kernel_str(text->words, sizeof(text->words), (const void *)name);
  if (length <= 0) return -1;
  text->length = (length - 1) & (HF_SIP_BYTES - 1);
  return (text->words[0] & USER_PREFIX_MASK) == USER_PREFIX;
}

/* "user.holdfast.probe": set to see whether sockets can have labels here, which is nobody's claim about anything. */
static __always_inline int is_probe(const struct hf_sip_text *text) {
  const __u64 *words = text->words;
  return words[0] == 0x6c6f682e72657375ull && words[1] == 0x72702e7473616664ull && words[2] == 0x65626full;
}

/* HF_LABEL_HASH_*; 0: it cannot be read. */
static __noinline __u64 hash_value(struct hf_sip_text *text, __u64 value, __u64 size) {
  if (!text) return 0;
  if (size >= HF_SIP_BYTES) return HF_LABEL_HASH_LONG;
  __builtin_memset(text, 0, sizeof(*text));
  text->length = size & (HF_SIP_BYTES - 1);
  if (size && bpf_probe_read_kernel(text->words, size & (HF_SIP_BYTES - 1), (const void *)value)) return 0;
  return hash_text(text);
}

/* The value before the name, and the name at once: who finds it may read what is beside it. */
static __noinline int record_label(struct hf_machine_labels *labels, __u64 name, __u64 value) {
  __u32 used;
  if (!labels) return 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_MACHINE_LABELS; i++) {
    __u32 at = i;
    HF_OPAQUE(at);
    if (at >= HF_MACHINE_LABELS) break;
    if (labels->labels[at].name != name) continue;
    labels->labels[at].value = value;
    return 0;
  }
  if (value == HF_LABEL_HASH_ABSENT) return 0;
  used = labels->used;
  HF_OPAQUE(used);
  if (used >= HF_MACHINE_LABELS) {
    labels->unknown = 1;
    return 0;
  }
  labels->labels[used].value = value;
  __sync_lock_test_and_set(&labels->labels[used].name, name);
  labels->used = used + 1;
  return 0;
}

/*
 * `way`: HF_VIA_LABEL_*. An empty value may have no address. A label that is set finds the entry that was made before it
 * was (label_will_be_set); only one that was on its way while the programs were attached does not, and the daemon looks at
 * all sockets again then. One that is removed from a socket without an entry changes nothing that is known.
 */
static __always_inline int hear_of_label(struct dentry *dentry, __u32 way, __u64 name, __u64 value, __u64 size) {
  struct hf_machine_labels *labels;
  struct inode *inode = dentry->d_inode;
  struct hf_sip_text *text;
  __u64 name_hash = 0, value_hash = 0;
  int known = -1;
  if (!inode || !is_socket(inode)) return 0;
  text = take_text();
  if (text) {
    known = read_label_name(text, name);
    name_hash = hash_text(text);
    if (way == HF_VIA_LABEL_SET) value_hash = hash_value(text, value, size);
    give_text();
  }
  if (!known) return 0;
  labels = labels_of_inode(inode, way == HF_VIA_LABEL_SET ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
  if (!labels) {
    if (way == HF_VIA_LABEL_SET) count(&labels_lost);
    return 0;
  }
  if (known < 0 || !name_hash || (way == HF_VIA_LABEL_SET && !value_hash))
    labels->unknown = 1;
  else
    record_label(labels, name_hash, value_hash);
  return 0;
}

/* The kernel has set it, with the inode locked: changes of one socket come here in their order. */
SEC("lsm/inode_post_setxattr")
int BPF_PROG(label_was_set, struct dentry *dentry, const char *name, const void *value, __u64 size, int flags) {
  return hear_of_label(dentry, HF_VIA_LABEL_SET, (__u64)name, (__u64)value, size);
}

SEC("lsm/inode_post_removexattr")
int BPF_PROG(label_was_removed, struct dentry *dentry, const char *name) {
  return hear_of_label(dentry, HF_VIA_LABEL_REMOVE, (__u64)name, 0, 0);
}

/* ---- who may --------------------------------------------------------------------------------------------- */

/* Not 0: whether the profile lists this name cannot be told. With `listed`: HF_REQ_LABEL_LISTED, or 0; -1: no label. */
static __noinline int find_listed(struct ruled_task *task, __u64 name, int *listed) {
  struct hf_label_id_key key = {.kind = HF_LABEL_MAY_BE_SET};
  struct hf_sip_text *text = take_text();
  int is_label;
  if (!text) return -1;
  if (!task || !listed) {
    give_text();
    return -1;
  }
  key.generation = task->generation;
  key.profile = task->profile;
  is_label = read_label_name(text, name);
  if (is_label > 0 && is_probe(text)) is_label = 0;
  key.hash = hash_text(text);
  give_text();
  if (is_label < 0 || !key.hash) return -1;
  *listed = !is_label ? -1 : bpf_map_lookup_elem(&label_ids, &key) ? (int)HF_REQ_LABEL_LISTED : 0;
  return 0;
}

static __noinline int ask_label(const struct hf_tables *tables, struct ruled_task *task, __u64 name, __u32 way) {
  struct hf_request r = {.op = HF_OP_LABEL};
  int listed = 0;
  if (!task) return -HF_EPERM;
  r.via = way;
  r.subject = task->profile;
  if (task->unknown || find_listed(task, name, &listed)) r.flags |= HF_REQ_FACTS_MISSING;
  if (listed < 0) return 0;
  r.flags |= listed;
  return conclude_socket((struct hf_tables *)tables, &r, task, 0);
}

struct label_call {
  __u64 name;
  __u32 way;
  int refused;
};

static long may_label_in_layer(__u32 index, struct label_call *call) {
  struct ruled_task task = {};
  const struct hf_tables *tables = find_ruled(&task, index);
  if (!tables && !task.unknown) return 0;
  if (!task.unknown && !(task.rules.labels & HF_LABELS_RULED)) return 0;
  call->refused = stronger(call->refused, ask_label(tables, &task, call->name, call->way));
  return 0;
}

static __always_inline int may_label(__u64 name, __u32 way) {
  struct label_call call = {.name = name, .way = way};
  if (!label_rules) return 0;
  bpf_loop(layers_now(), may_label_in_layer, &call, 0);
  return call.refused;
}

/* The first argument is an id map of the mount, of one type or another. */
SEC("lsm/inode_setxattr")
int BPF_PROG(label_will_be_set, struct hf_unread *idmap, struct dentry *dentry, const char *name, const void *value,
             unsigned long size, int flags) {
  struct inode *inode = dentry->d_inode;
  if (!inode || !is_socket(inode)) return 0;
  if (!labels_of_inode(inode, BPF_LOCAL_STORAGE_GET_F_CREATE)) return -ENOMEM;
  return hf_socket_answer(may_label((__u64)name, HF_VIA_LABEL_SET));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(label_will_be_removed, struct hf_unread *idmap, struct dentry *dentry, const char *name) {
  struct inode *inode = dentry->d_inode;
  if (!inode || !is_socket(inode)) return 0;
  return hf_socket_answer(may_label((__u64)name, HF_VIA_LABEL_REMOVE));
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_LABEL_BPF_H */
