/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs about sockets share, those of a run and those for the whole machine: what the kernel's sockets are, and
 * how a token is taken.
 */
#ifndef HOLDFAST_BPF_LIB_SOCKET_RULES_BPF_H
#define HOLDFAST_BPF_LIB_SOCKET_RULES_BPF_H

#include "bpf/lib/decide.bpf.h"
#include "bpf/lib/decision_points.h"
#include "bpf/lib/syscall.bpf.h"
#include "core/bucket.h"
#include "core/socket_enums.h"

#define HF_MSG_FASTOPEN 0x20000000
#define HF_SOCK_STREAM 1
#define HF_SOCK_DGRAM 2
#define HF_SOCK_SEQPACKET 5
#define HF_SCTP_BINDX_ADD 100
#define HF_SCTP_PRIMARY_ADDR 6
#define HF_SCTP_SET_PEER_PRIMARY_ADDR 5

struct hf_locked_bucket {
  struct bpf_spin_lock lock;
  __u32 pad0;
  struct hf_bucket bucket;
};

/* As hf_answer(), for the two errnos of sockets. */
static __always_inline int hf_socket_answer(int error) {
  if (!error) return 0;
  asm volatile("");
  if (error == -HF_EAGAIN) return -HF_EAGAIN;
  asm volatile("");
  return -HF_EPERM;
}

static __always_inline int hf_take_locked(struct hf_locked_bucket *bucket, const struct hf_socket_rule *rule) {
  __u64 now = bpf_ktime_get_boot_ns();
  int had;
  bpf_spin_lock(&bucket->lock);
  had = hf_bucket_take(&bucket->bucket, now, rule);
  bpf_spin_unlock(&bucket->lock);
  return had;
}

/* Null: a socket without a file, which cannot have labels. */
static __always_inline struct inode *hf_inode_of(struct socket *sock) {
  struct file *file;
  if (!sock) return 0;
  file = sock->file;
  if (!file) return 0;
  return file->f_inode;
}

/*
 * The other end of a connected stream: 1, or 0 when that cannot be told. It stays that until the socket is released,
 * which who sends on it holds. One that nobody has accepted yet is no socket yet, and has no labels; nor has none at all.
 */
static __always_inline int hf_connected_peer(struct sock *sk, struct socket **found) {
  struct unix_sock *own = bpf_skc_to_unix_sock(sk);
  struct sock *peer;
  *found = 0;
  if (!own) return 0;
  peer = own->peer;
  if (peer) *found = peer->sk_socket;
  return 1;
}

/*
 * The socket that a write to a file sends to without making a message of it; null: none.
 *
 * Before Linux 6.5 sendfile() and splice() hand pages to a protocol without asking about a message. They ask about
 * writing to the file, as every write does: those that come to socket_sendmsg as well are left to it, by the number of the
 * call. A ring has no number: its write is decided here and there, and takes two tokens.
 */
static __always_inline struct socket *hf_gets_pages(struct file *file, int mask) {
  struct socket *sock;
  struct sock *sk;
  __u16 family;
  if (!(mask & HF_MAY_WRITE)) return 0;
  sock = bpf_sock_from_file(file);
  if (!sock) return 0;
  sk = sock->sk;
  if (!sk || hf_writes_message()) return 0;
  family = hf_family_of(sk->__sk_common.skc_family);
  /* Without pages of their own these make a message of it. */
  if (family == HF_FAMILY_NETLINK || family == HF_FAMILY_PACKET || family == HF_FAMILY_VSOCK) return 0;
  if (family == HF_FAMILY_UNIX && sk->sk_type != HF_SOCK_STREAM) return 0;
  return sock;
}

static __always_inline int hf_binds_by_option(int option) {
  return option == HF_SCTP_BINDX_ADD || option == HF_SCTP_PRIMARY_ADDR || option == HF_SCTP_SET_PEER_PRIMARY_ADDR;
}

#endif /* HOLDFAST_BPF_LIB_SOCKET_RULES_BPF_H */
