/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space needs from here when it accepts a connection for a member: the labels of who connected, and tokens
 * of the same buckets that the other programs take from.
 */
#ifndef HOLDFAST_BPF_RUN_USERSPACE_REQUESTS_BPF_H
#define HOLDFAST_BPF_RUN_USERSPACE_REQUESTS_BPF_H

#include "bpf/run/socket.bpf.h"

struct __sk_buff;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_seen_peer);
} seen_peer SEC(".maps");

/*
 * holdfast asks for the name of the other end of a unix socket, and this notes its labels. An end that is closed, or
 * that nobody has accepted yet, has none that could be told, nor has one whose labels are not known: nothing is noted.
 */
SEC("lsm/socket_getpeername")
int BPF_PROG(hf_see_peer, struct socket *sock) {
  const struct hf_session *s = hf_session();
  const struct hf_socket_labels *labels;
  struct hf_seen_peer *seen;
  struct unix_sock *own;
  struct socket *other;
  struct sock *sk, *peer;
  __u32 zero = 0;
  if (!s || bpf_get_current_pid_tgid() >> 32 != s->protected_tgid[0]) return 0;
  seen = bpf_map_lookup_elem(&seen_peer, &zero);
  if (!seen || s->labels_lost) return 0;
  seen->cookie = 0;
  sk = sock->sk;
  if (!sk) return 0;
  own = bpf_skc_to_unix_sock(sk);
  if (!own) return 0;
  peer = own->peer;
  if (!peer) return 0;
  other = peer->sk_socket;
  if (!other || !other->file) return 0;
  labels = hf_mirror_of(other, 0);
  if (labels && labels->unknown) return 0;
  if (labels)
    hf_copy_ids(seen->ids, labels);
  else
    __builtin_memset(seen->ids, 0, sizeof(seen->ids));
  seen->cookie = bpf_get_socket_cookie(sk);
  return 0;
}

/* A program for packets, since only those that cannot sleep may take the lock of a bucket on every kernel. */
SEC("tc")
int hf_take_for(struct __sk_buff *packet) {
  struct hf_take_token_args request;
  if (bpf_skb_load_bytes(packet, 0, &request, sizeof(request))) return 0;
  return hf_take_token(request.slot, request.subject, request.rule, request.cgroup);
}

#endif /* HOLDFAST_BPF_RUN_USERSPACE_REQUESTS_BPF_H */
