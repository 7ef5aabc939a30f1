/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Labels that change: who may set and remove them, and how the mirror hears of it. */
#ifndef HOLDFAST_BPF_RUN_LABEL_BPF_H
#define HOLDFAST_BPF_RUN_LABEL_BPF_H

#include "bpf/run/socket.bpf.h"

#define HF_ENOMEM_LABEL 12

static __always_inline __u32 hf_known_name(const struct hf_label_text *text) {
  const __u32 *known = bpf_map_lookup_elem(&label_names, text);
  return known ? *known : 0;
}

static __always_inline int hf_is_socket(const struct inode *inode) {
  return (inode->i_mode & HF_S_IFMT) == HF_S_IFSOCK;
}

/* ---- who may label --------------------------------------------------------------------------------------- */

static __always_inline int hf_label_change(struct dentry *dentry, const char *name, __u16 way) {
  struct hf_request r = {.op = HF_OP_LABEL, .via = way};
  struct hf_context context = {.voice = HF_SAY};
  struct hf_session *s = hf_session();
  const struct hf_member *member;
  struct hf_label_text *text;
  struct inode *inode;
  int is_label = 0;
  long length = 0;
  if (!s) return -HF_EPERM;
  inode = dentry->d_inode;
  if (!inode) return 0; /* newer verifiers want it asked */
  if (!hf_is_socket(inode)) return 0;
  member = hf_ruled_member(s);
  if (!member || !hf_label_words.label_ruled) return 0;
  context.task = bpf_get_current_task();
  context.slot = member->tables;
  r.subject = member->profile;
  r.subject_set = member->set;
  text = hf_own_text();
  if (text) {
    length = bpf_probe_read_kernel_str(text->text, sizeof(text->text), name);
    is_label = text->text[0] == 'u' && text->text[1] == 's' && text->text[2] == 'e' && text->text[3] == 'r' &&
               text->text[4] == '.';
    text->length = length - 1;
    if (length > 0 && (hf_known_name(text) & HF_LABEL_MAY_SET)) r.flags |= HF_REQ_LABEL_LISTED;
    hf_drop_text();
  }
  if (length <= 0)
    r.flags |= HF_REQ_FACTS_MISSING;
  else if (!is_label)
    return 0;
  return hf_conclude_socket(&r, &context);
}

/* The first argument is an id map of the mount, of one type or another. */
SEC("lsm/inode_setxattr")
int BPF_PROG(hf_inode_setxattr, struct hf_unread *idmap, struct dentry *dentry, const char *name, const void *value,
             unsigned long size, int flags) {
  return hf_socket_answer(hf_label_change(dentry, name, HF_VIA_LABEL_SET));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(hf_inode_removexattr, struct hf_unread *idmap, struct dentry *dentry, const char *name) {
  return hf_socket_answer(hf_label_change(dentry, name, HF_VIA_LABEL_REMOVE));
}

/* ---- the mirror ------------------------------------------------------------------------------------------ */

/*
 * Anybody on the machine may label a socket that a member then uses. The entry is made before the kernel sets the
 * label, so that what has no room in the mirror is not set: afterwards it could not be refused any more.
 */
SEC("lsm/inode_setxattr")
int BPF_PROG(hf_room_for_label, struct hf_unread *idmap, struct dentry *dentry, const char *name, const void *value,
             unsigned long size, int flags) {
  struct inode *inode = dentry->d_inode;
  struct hf_label_text *text;
  __u32 known = 0;
  if (!inode || !hf_is_socket(inode)) return 0;
  text = hf_own_text();
  if (text) {
    long length = bpf_probe_read_kernel_str(text->text, sizeof(text->text), name);
    text->length = length > 0 ? length - 1 : 0;
    known = hf_known_name(text);
    hf_drop_text();
  }
  if (text && !(known & HF_LABEL_INDEX)) return 0;
  if (!text || !bpf_inode_storage_get(&socket_labels, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
    return -HF_ENOMEM_LABEL;
  return 0;
}

/* Which label of the policy's this is, from 1 on; 0: none of them. ~0: nobody can tell. */
static __always_inline __u32 hf_label_index(const char *name) {
  struct hf_label_text *text = hf_own_text();
  __u32 index = ~0u;
  long length;
  if (!text) return index;
  length = bpf_probe_read_kernel_str(text->text, sizeof(text->text), name);
  if (length > 0) {
    text->length = length - 1;
    index = hf_known_name(text) & HF_LABEL_INDEX;
  }
  hf_drop_text();
  return index;
}

static __always_inline __u32 hf_value_id(const void *value, __u64 size) {
  struct hf_label_text *text;
  __u32 id = HF_LABEL_ID_UNREADABLE;
  if (size >= sizeof(text->text)) return HF_LABEL_ID_OTHER;
  text = hf_own_text();
  if (!text) return id;
  text->length = size;
  if (!size || !bpf_probe_read_kernel(text->text, size & (sizeof(text->text) - 1), value)) {
    const __u32 *known = bpf_map_lookup_elem(&label_values, text);
    id = known ? *known : HF_LABEL_ID_OTHER;
  }
  hf_drop_text();
  return id;
}

/*
 * What cannot be mirrored leaves this socket's labels not known. A label that is set finds the entry that was made before
 * (hf_room_for_label); only one that was on its way while the programs were attached may not, and then nobody can tell which
 * socket it is: user space looks at all of them again. What is removed from a socket without an entry was not known.
 */
static __always_inline void hf_mirror_label(struct inode *inode, __u32 index, __u32 id) {
  __u64 flags = id == HF_LABEL_ID_ABSENT ? 0 : BPF_LOCAL_STORAGE_GET_F_CREATE;
  struct hf_socket_labels *labels = bpf_inode_storage_get(&socket_labels, inode, 0, flags);
  struct hf_session *s = hf_session();
  if (!labels) {
    if (s && flags) s->labels_lost = 1;
    return;
  }
  index--;
  HF_OPAQUE(index);
  if (id != HF_LABEL_ID_UNREADABLE && index < HF_MAX_LABEL_NAMES)
    labels->ids[index] = id;
  else
    labels->unknown = 1;
}

/* Called with the inode locked, so changes of one socket come here in their order. */
SEC("lsm/inode_post_setxattr")
int BPF_PROG(hf_label_was_set, struct dentry *dentry, const char *name, const void *value, __u64 size, int flags) {
  struct inode *inode = dentry->d_inode;
  __u32 index;
  if (!inode || !hf_is_socket(inode)) return 0;
  index = hf_label_index(name);
  if (index) hf_mirror_label(inode, index, hf_value_id(value, size));
  return 0;
}

SEC("lsm/inode_post_removexattr")
int BPF_PROG(hf_label_was_removed, struct dentry *dentry, const char *name) {
  struct inode *inode = dentry->d_inode;
  __u32 index;
  if (!inode || !hf_is_socket(inode)) return 0;
  index = hf_label_index(name);
  if (index) hf_mirror_label(inode, index, HF_LABEL_ID_ABSENT);
  return 0;
}

#endif /* HOLDFAST_BPF_RUN_LABEL_BPF_H */
