/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a unix socket meets its peer: decisions that depend on the labels of both.
 *
 * lsm/socket_connect and lsm/socket_sendmsg come before the kernel has looked up whom it is about, and leave such a
 * decision to these two hooks. The kernel calls them with the other socket locked and alive, connects no stream and
 * delivers no datagram without them. A datagram that waits for room looks its receiver up again when that has gone, and
 * asks again: each time is decided, so who is judged is who gets it.
 */
#ifndef HOLDFAST_BPF_RUN_SOCKET_PEER_BPF_H
#define HOLDFAST_BPF_RUN_SOCKET_PEER_BPF_H

#include "bpf/run/socket.bpf.h"

static __always_inline int hf_socket_meets(struct sock *sk, struct socket *own, struct socket *peer) {
  struct hf_request r = {.op = HF_OP_SOCKET, .sock_family = HF_FAMILY_UNIX};
  struct hf_context context = {.voice = HF_SAY};
  struct hf_session *s = hf_session();
  const struct hf_socket_labels *labels;
  struct hf_member *member;
  if (!s) return -HF_EPERM;
  member = hf_ruled_member(s);
  if (!member || !member->meets_peer) return 0;
  r.sock_op = member->meets_peer;
  r.via = r.sock_op == HF_SOCK_CONNECT ? HF_VIA_CONNECT : HF_VIA_SEND;
  if (!hf_socket_subject(s, &r, &context)) return -HF_EPERM;
  context.target = bpf_get_socket_cookie(sk);
  hf_read_mirror(own, s, &r);
  labels = hf_mirror_of(peer, 0);
  if (labels) {
    if (labels->unknown) r.flags |= HF_REQ_FACTS_MISSING;
    hf_copy_ids(r.peer_labels, labels);
  }
  return hf_conclude_socket(&r, &context);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(hf_unix_stream_connect, struct sock *sk, struct sock *other, struct sock *newsk) {
  return hf_socket_answer(hf_socket_meets(sk, sk->sk_socket, other->sk_socket));
}

/* Also when a datagram socket connects. */
SEC("lsm/unix_may_send")
int BPF_PROG(hf_unix_may_send, struct socket *sock, struct socket *other) {
  struct sock *sk = sock->sk;
  if (!sk) return -1;
  return hf_socket_answer(hf_socket_meets(sk, sock, other));
}

#endif /* HOLDFAST_BPF_RUN_SOCKET_PEER_BPF_H */
