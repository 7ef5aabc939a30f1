/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the labels of a socket are read.
 *
 * On Linux 7.3 a program can read them from the socket itself (bpf_sock_read_xattr), which takes no lock, so
 * nothing is mirrored and nothing can be stale. The names to read have to be constants to the verifier: user
 * space puts them into read-only data before loading.
 *
 * Else they are mirrored, as numbers, into the storage of the socket's inode, which goes with it: where the kernel
 * keeps labels but no program can read them (7.1, 7.2), and for a peer everywhere, by the hooks behind a successful
 * set or remove (label.bpf.h); on older kernels by user space, which then keeps the labels itself. A label that
 * cannot be mirrored ends all decisions of the session in refusals.
 *
 * A value is compared with those that rules name by looking it up in a hash. The buffer that it is read into is the
 * processor's, with preemption off meanwhile: a table of buffers by task could be filled by a crowd of tasks that are all
 * preempted here, members or not. All kernels whose sockets have labels can turn it off from BPF (6.10).
 */
#ifndef HOLDFAST_BPF_RUN_SOCKET_LABELS_BPF_H
#define HOLDFAST_BPF_RUN_SOCKET_LABELS_BPF_H

#include "bpf/run/decision.bpf.h"
#include "bpf/lib/socket_rules.bpf.h"

extern int bpf_sock_read_xattr(struct socket *sock, const char *name__str, struct bpf_dynptr *value) __ksym __weak;

#define HF_ENODATA 61
#define HF_ERANGE 34
#define HF_EOPNOTSUPP 95
#define HF_S_IFMT 0170000
#define HF_S_IFSOCK 0140000
#define HF_LABEL_ID_UNREADABLE 0xfffffffeu

/* What the policy of the session says about labels, from user space. */
const volatile struct hf_label_words hf_label_words SEC(".rodata.labels") = {};

/* Values that rules name; names that they name or that members may set. Bytes behind the text are zero. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MAX_LABEL_VALUES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_label_text);
  __type(value, __u32);
} label_values SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MAX_LABEL_VALUES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_label_text);
  __type(value, __u32);
} label_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_label_text);
} label_texts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hf_socket_labels);
} socket_labels SEC(".maps");

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/* A buffer, all zero. Until hf_drop_text() no global function is called. Null: there is none. */
static __always_inline struct hf_label_text *hf_own_text(void) {
  struct hf_label_text *text;
  __u32 zero = 0;
  if (!bpf_preempt_disable) return 0;
  bpf_preempt_disable();
  text = bpf_map_lookup_elem(&label_texts, &zero);
  if (text)
    __builtin_memset(text, 0, sizeof(*text));
  else
    bpf_preempt_enable();
  return text;
}

static __always_inline void hf_drop_text(void) {
  if (bpf_preempt_enable) bpf_preempt_enable();
}

static __always_inline __u32 hf_value_of_text(struct hf_label_text *text, int length) {
  __u32 *id;
  if (length == -HF_ENODATA || length == -HF_EOPNOTSUPP) return HF_LABEL_ID_ABSENT;
  if (length == -HF_ERANGE) return HF_LABEL_ID_OTHER; /* longer than any that a rule may name */
  if (length < 0) return HF_LABEL_ID_UNREADABLE;
  text->length = length;
  id = bpf_map_lookup_elem(&label_values, text);
  return id ? *id : HF_LABEL_ID_OTHER;
}

static __always_inline __u32 hf_label_of(struct socket *sock, const char *name) {
  struct hf_label_text *text = hf_own_text();
  __u32 id = HF_LABEL_ID_UNREADABLE;
  struct bpf_dynptr value;
  if (!text) return id;
  if (!bpf_dynptr_from_mem(text->text, sizeof(text->text), 0, &value))
    id = hf_value_of_text(text, bpf_sock_read_xattr(sock, name, &value));
  hf_drop_text();
  return id;
}

#define HF_READ_LABEL(i) \
  if (i < hf_label_words.count) { \
    __u32 id_ = hf_label_of(sock, (const char *)hf_label_words.names[i]); \
    if (id_ == HF_LABEL_ID_UNREADABLE) r->flags |= HF_REQ_FACTS_MISSING; \
    r->own_labels[i] = id_; \
  }

/* The mirror's entry; null: it never had a label, or none that a rule asks for. A socket without a file cannot get any. */
static __always_inline struct hf_socket_labels *hf_mirror_of(struct socket *sock, __u64 flags) {
  struct inode *inode = hf_inode_of(sock);
  if (!inode) return 0;
  return bpf_inode_storage_get(&socket_labels, inode, 0, flags);
}

static __always_inline void hf_copy_ids(__u32 *to, const struct hf_socket_labels *from) {
#pragma unroll
  for (__u32 i = 0; i < HF_MAX_LABEL_NAMES; i++) to[i] = from->ids[i];
}

static __always_inline void hf_read_mirror(struct socket *sock, const struct hf_session *s, struct hf_request *r) {
  const struct hf_socket_labels *labels = hf_mirror_of(sock, 0);
  if (s->labels_lost) r->flags |= HF_REQ_FACTS_MISSING;
  if (!labels) return;
  if (labels->unknown) r->flags |= HF_REQ_FACTS_MISSING;
  hf_copy_ids(r->own_labels, labels);
}

static __always_inline void hf_read_labels(struct socket *sock, const struct hf_session *s, struct hf_request *r) {
  if (hf_label_words.mirrored) return hf_read_mirror(sock, s, r);
  HF_READ_LABEL(0)
  HF_READ_LABEL(1)
  HF_READ_LABEL(2)
  HF_READ_LABEL(3)
  HF_READ_LABEL(4)
  HF_READ_LABEL(5)
  HF_READ_LABEL(6)
  HF_READ_LABEL(7)
  HF_READ_LABEL(8)
  HF_READ_LABEL(9)
  HF_READ_LABEL(10)
  HF_READ_LABEL(11)
  HF_READ_LABEL(12)
  HF_READ_LABEL(13)
  HF_READ_LABEL(14)
  HF_READ_LABEL(15)
}

#endif /* HOLDFAST_BPF_RUN_SOCKET_LABELS_BPF_H */
