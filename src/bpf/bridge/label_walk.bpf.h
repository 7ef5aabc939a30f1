/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The labels of a socket as Linux 7.1 and 7.2 keep them, for BPF programs: with the arguments and the answers of
 * bpf_sock_read_xattr(), which 7.3 has.
 *
 * The inode of a socket has a list of its attributes. The kernel adds to its end, replaces and removes under RCU, and frees
 * after a grace period. A hash table of all sockets has the same attributes; 7.3 looks there. Each change comes to the
 * table first and to the list second, with the inode locked. So during a change of a label either answer is right, and
 * otherwise both agree.
 *
 * A reader that stands at an attribute which is removed goes on by its `next`, which stays. All attributes that
 * were ahead of it are still ahead, and new ones come after those. So one that is there all the time is found within as many
 * steps as a socket can have attributes.
 */
#ifndef HOLDFAST_BPF_BRIDGE_LABEL_WALK_BPF_H
#define HOLDFAST_BPF_BRIDGE_LABEL_WALK_BPF_H

#include "bpf/lib/vmlinux.h"
#include "core/inline.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

#define HF_WALK_LABELS 128 /* SIMPLE_XATTR_MAX_NR */
#define HF_WALK_WORDS 4
#define HF_WALK_NAME_BYTES (HF_WALK_WORDS * 8)

#define HF_USER_PREFIX 0x2e72657375ull /* "user." */
#define HF_USER_PREFIX_MASK 0xffffffffffull

/* The suffix keeps these apart from declarations in the object that this is linked to. libbpf ignores it. */
extern void bpf_rcu_read_lock___hf(void) __ksym;
extern void bpf_rcu_read_unlock___hf(void) __ksym;
extern void *bpf_rdonly_cast___hf(const void *object, __u32 type) __ksym;
extern int bpf_strcmp___hf(const char *a, const char *b) __ksym;
extern bool bpf_dynptr_is_null___hf(const struct bpf_dynptr *value) __ksym;
extern bool bpf_dynptr_is_rdonly___hf(const struct bpf_dynptr *value) __ksym;
extern __u64 bpf_dynptr_size___hf(const struct bpf_dynptr *value) __ksym;
extern int bpf_probe_read_kernel_dynptr___hf(const struct bpf_dynptr *value, __u64 offset, __u64 size,
                                             const void *from) __ksym;

/* Loads through the result never fault. They are as cheap as loads through a pointer that the kernel passed. */
#define HF_CAST(type, address) \
  ((struct type *)bpf_rdonly_cast___hf((const void *)(address), bpf_core_type_id_kernel(struct type)))

struct hf_label_walk {
  __u64 at;                   /* struct list_head */
  __u64 head;                 /* struct list_head */
  __u64 words[HF_WALK_WORDS]; /* the name, or as much of it as fits */
  __u64 last_mask;            /* of its last word: the bytes up to the terminating zero */
  __u32 last;                 /* the number of that word */
  __u32 is_longer;
  const char *name;
  __u64 found; /* struct simple_xattr */
};

/*
 * 1: the names are the same, as far as `walk` has the one that is looked for. A word is read only if the words before it are the
 * same and not the last. So it lies in the memory of this name, which the kernel allocates in units of 8 bytes.
 */
static __always_inline int is_name(const struct hf_label_walk *walk, const char *name) {
  const __u64 *words = bpf_rdonly_cast___hf(name, 0);
#pragma unroll
  for (__u32 i = 0; i < HF_WALK_WORDS; i++) {
    __u64 differs = words[i] ^ walk->words[i];
    if (i == walk->last) return !(differs & walk->last_mask);
    if (differs) return 0;
  }
  return 0;
}

static long take_label(__u32 i, struct hf_label_walk *walk) {
  __u64 at = (__u64)HF_CAST(list_head, walk->at)->next;
  struct simple_xattr *label;
  if (at == walk->head) return 1;
  walk->at = at;
  label = HF_CAST(simple_xattr, at - bpf_core_field_offset(struct simple_xattr, node));
  if (!is_name(walk, label->name)) return 0;
  if (walk->is_longer && bpf_strcmp___hf(label->name, walk->name)) return 0;
  walk->found = (__u64)label;
  return 1;
}

/* Returns 0; or -EPERM, as the kernel does: it is not the name of a label. */
static __always_inline int begin_label_walk(struct hf_label_walk *walk, const char *name) {
  long length = bpf_probe_read_kernel_str(walk->words, sizeof(walk->words), name);
  __u32 bytes, rest;
  if (length <= 0 || (walk->words[0] & HF_USER_PREFIX_MASK) != HF_USER_PREFIX) return -EPERM;
  bytes = length;
  if (bytes >= HF_WALK_NAME_BYTES) {
    walk->is_longer = 1;
    walk->name = name;
    bytes = HF_WALK_NAME_BYTES - 1; /* without the zero that the cut put there */
  }
  walk->last = (bytes - 1) / 8;
  rest = bytes - walk->last * 8; /* 1 to 8 */
  walk->last_mask = ~0ull >> ((8 - rest) * 8 & 63);
  return 0;
}

/* With the RCU read lock held. */
static __always_inline int copy_label(struct hf_label_walk *walk, struct bpf_dynptr *value) {
  struct simple_xattr *label;
  __u64 size;
  bpf_loop(HF_WALK_LABELS, take_label, walk, 0);
  if (!walk->found) return -ENODATA;
  label = HF_CAST(simple_xattr, walk->found);
  size = label->size;
  if (size > bpf_dynptr_size___hf(value)) return -ERANGE;
  if (size && bpf_probe_read_kernel_dynptr___hf(
                  value, 0, size, (const void *)walk->found + bpf_core_field_offset(struct simple_xattr, value)))
    return -EFAULT;
  return size;
}

/*
 * Makes the verifier refuse a pointer that it does not trust, as at a call of bpf_sock_read_xattr(): the labels of a socket
 * that may be freed meanwhile are nobody's. The helper is never called, since no pointer is 1.
 */
static __always_inline void require_trusted(struct socket *sock) {
  struct sock *sk = sock->sk;
  __u64 address;
  if (!sk) return;
  address = (__u64)sk;
  HF_OPAQUE(address); /* otherwise the helper would get the number 1 */
  if (address == 1) bpf_get_socket_cookie(sk);
}

/* As bpf_sock_read_xattr(). */
static __always_inline int read_label(struct socket *sock, const char *name, struct bpf_dynptr *value) {
  struct hf_label_walk walk = {};
  struct file *file;
  int error;
  require_trusted(sock);
  error = begin_label_walk(&walk, name);
  if (error) return error;
  if (bpf_dynptr_is_null___hf(value) || bpf_dynptr_is_rdonly___hf(value)) return -EINVAL;
  /* A socket that sockfs did not make has its file elsewhere. */
  file = sock->file;
  if (!file || (__u64)file->f_inode != (__u64)sock + bpf_core_field_offset(struct socket_alloc, vfs_inode) -
                                           bpf_core_field_offset(struct socket_alloc, socket))
    return -EOPNOTSUPP;
  walk.head = (__u64)sock + bpf_core_field_offset(struct sockfs_inode, xattrs) -
              bpf_core_field_offset(struct sockfs_inode, socket);
  walk.at = walk.head;
  bpf_rcu_read_lock___hf();
  error = copy_label(&walk, value);
  bpf_rcu_read_unlock___hf();
  return error;
}

#endif /* HOLDFAST_BPF_BRIDGE_LABEL_WALK_BPF_H */
