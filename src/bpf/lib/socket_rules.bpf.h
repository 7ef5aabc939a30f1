/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions of the socket programs that read the kernel's socket structures
 * and take tokens.
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

/* As hf_answer(), for the two errnos of socket decisions. */
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

/* The inode of a socket. Null: the socket has no file, so it cannot have labels. */
static __always_inline struct inode *hf_inode_of(struct socket *sock) {
  struct file *file;
  if (!sock) return 0;
  file = sock->file;
  if (!file) return 0;
  return file->f_inode;
}

/*
 * The inode of the peer of a connected unix socket. Null: it has closed, or is about to. A struct file is used again at once;
 * one that is still the socket's after its inode was read was the socket's then.
 */
static __always_inline struct inode *hf_inode_of_peer(struct sock *sk) {
  struct unix_sock *own = bpf_skc_to_unix_sock(sk);
  struct socket *sock;
  struct inode *inode;
  struct file *file;
  struct sock *peer;
  if (!own) return 0;
  peer = own->peer;
  if (!peer) return 0;
  sock = peer->sk_socket;
  if (!sock) return 0;
  file = sock->file;
  if (!file) return 0;
  inode = file->f_inode;
  if (*(struct file *volatile *)&sock->file != file) return 0;
  return inode;
}

/*
 * Finds the peer of a connected stream socket. Returns 1, or 0 if the peer is unknown. The peer stays the same until
 * the socket is released, and a sender holds a reference. A peer that is not accepted yet has no socket and no labels.
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
 * The socket that a write to a file sends on without a call of socket_sendmsg. Null: there is none.
 *
 * Before Linux 6.5 sendfile() and splice() pass pages to a protocol without that hook. They call file_permission, as
 * every write does. Writes that also call socket_sendmsg are decided there; the number of the system call tells which
 * they are. A write by io_uring has no number. It is decided in both hooks and takes two tokens.
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
  /* These protocols have no function for pages, so the kernel sends a message. */
  if (family == HF_FAMILY_NETLINK || family == HF_FAMILY_PACKET || family == HF_FAMILY_VSOCK) return 0;
  if (family == HF_FAMILY_UNIX && sk->sk_type != HF_SOCK_STREAM) return 0;
  return sock;
}

static __always_inline int hf_binds_by_option(int option) {
  return option == HF_SCTP_BINDX_ADD || option == HF_SCTP_PRIMARY_ADDR || option == HF_SCTP_SET_PEER_PRIMARY_ADDR;
}

#endif /* HOLDFAST_BPF_LIB_SOCKET_RULES_BPF_H */
