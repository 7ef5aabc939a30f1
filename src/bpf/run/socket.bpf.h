/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket rules: members' bind, connect, listen, accept and send, decided by the labels of the socket, and of the
 * peer for unix sockets (socket_peer.bpf.h). Where the labels are read: socket_labels.bpf.h.
 */
#ifndef HOLDFAST_BPF_RUN_SOCKET_BPF_H
#define HOLDFAST_BPF_RUN_SOCKET_BPF_H

#include "bpf/run/socket_labels.bpf.h"
#include "bpf/lib/socket_rules.bpf.h"

struct hf_bucket_key {
  __u64 cgroup;
  __u32 rule;
  __u32 pad0;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_BUCKETS_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_bucket_key);
  __type(value, struct hf_locked_bucket);
} buckets SEC(".maps");

/* Takes a token of the rule's bucket for a cgroup: 1, or 0. */
__noinline int hf_take_token(__u32 slot, __u32 subject, __u32 rule_id, __u64 cgroup) {
  const struct hf_tables *t = hf_tables_at(slot);
  struct hf_bucket_key key = {.rule = rule_id, .cgroup = cgroup};
  struct hf_locked_bucket fresh = {};
  const struct hf_socket_rule *rule;
  struct hf_locked_bucket *bucket;
  if (!t) return 0;
  rule = hf_rule_of(t, subject, rule_id);
  if (!rule) return 0;
  bucket = bpf_map_lookup_elem(&buckets, &key);
  if (!bucket) {
    bpf_map_update_elem(&buckets, &key, &fresh, BPF_NOEXIST);
    bucket = bpf_map_lookup_elem(&buckets, &key);
  }
  return bucket ? hf_take_locked(bucket, rule) : 0;
}

__noinline int hf_judge_socket(struct hf_request *r, struct hf_verdict *v, __u32 slot) {
  const struct hf_tables *t = hf_tables_at(slot);
  if (!r || !v) return -HF_EPERM;
  if (t) {
    hf_decide_some(t, r, 1u << HF_OP_SOCKET | 1u << HF_OP_LABEL, v);
  } else {
    r->flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(v, HF_REASON_FACTS_MISSING);
  }
  return 0;
}

/* Decides, takes a token, counts and reports: 0, or the negative errno. */
__noinline int hf_conclude_socket(struct hf_request *r, struct hf_context *context) {
  struct hf_session *s = hf_session();
  const struct hf_tables *t;
  struct hf_verdict v = {};
  if (!r || !context || !s) return -HF_EPERM;
  if (hf_judge_socket(r, &v, context->slot)) return -HF_EPERM;
  if (v.action == HF_LIMIT) {
    int had = hf_take_token(context->slot, r->subject, v.rule, bpf_get_current_cgroup_id());
    t = hf_tables_at(context->slot);
    if (!t) return -HF_EPERM;
    hf_settle(t, &v, had);
  }
  hf_count_decision(&s->totals.decisions, &v);
  if (v.log) hf_report(s, r, &v, context);
  return hf_enforced_error(&v);
}

static __always_inline struct hf_member *hf_ruled_member(const struct hf_session *s) {
  struct hf_member *member = hf_member_of(bpf_get_current_task());
  if (!member || hf_not_yet_ruled(s, member)) return 0;
  return member;
}

/* The current task, if its policy has rules about the operation, as the subject of a request. */
static __always_inline struct hf_member *hf_socket_subject(const struct hf_session *s, struct hf_request *r,
                                                           struct hf_context *context) {
  struct hf_member *member = hf_ruled_member(s);
  if (!member) return 0;
  if (member->tables == HF_TABLES_POLICY && !(hf_label_words.operations & r->sock_op)) return 0;
  context->task = bpf_get_current_task();
  context->slot = member->tables;
  r->subject = member->profile;
  r->subject_set = member->set;
  return member;
}

static __always_inline void hf_read_connected_peer(struct sock *sk, struct hf_request *r) {
  const struct hf_socket_labels *labels;
  struct socket *peer;
  if (!hf_connected_peer(sk, &peer)) {
    r->flags |= HF_REQ_FACTS_MISSING;
    return;
  }
  labels = hf_mirror_of(peer, 0);
  if (!labels) return;
  if (labels->unknown) r->flags |= HF_REQ_FACTS_MISSING;
  hf_copy_ids(r->peer_labels, labels);
}

/*
 * A rule asks for the peer's labels. 1: the peer is met later in the same call (socket_peer.bpf.h), which decides.
 * Who binds or listens has no peer; whom an accept will find nobody knows yet.
 */
static __always_inline int hf_peer_comes_later(struct hf_member *member, struct sock *sk, struct hf_request *r) {
  if (r->sock_op == HF_SOCK_ACCEPT) r->flags |= HF_REQ_FACTS_MISSING;
  if (r->sock_op != HF_SOCK_CONNECT && r->sock_op != HF_SOCK_SEND) return 0;
  if (r->sock_op == HF_SOCK_SEND && sk->sk_type != HF_SOCK_DGRAM) {
    hf_read_connected_peer(sk, r);
    return 0;
  }
  member->meets_peer = r->sock_op;
  return 1;
}

static __always_inline int hf_socket(struct socket *sock, __u16 operation, __u16 way) {
  struct hf_request r = {.op = HF_OP_SOCKET, .via = way, .sock_op = operation};
  struct hf_context context = {.voice = HF_SAY};
  struct hf_session *s = hf_session();
  struct hf_member *member;
  struct sock *sk;
  if (!s) return -HF_EPERM;
  member = hf_ruled_member(s);
  if (member) member->meets_peer = 0; /* left over from the call before */
  member = hf_socket_subject(s, &r, &context);
  if (!member) return 0;
  sk = sock->sk;
  if (!sk) return -HF_EPERM;
  r.sock_family = hf_family_of(sk->__sk_common.skc_family);
  context.target = bpf_get_socket_cookie(sk);
  if (context.target == s->channel_cookie) return 0;
  if (r.sock_family == HF_FAMILY_UNIX && (hf_label_words.peer_operations & operation) &&
      member->tables == HF_TABLES_POLICY && hf_peer_comes_later(member, sk, &r))
    return 0;
  hf_read_labels(sock, s, &r);
  return hf_conclude_socket(&r, &context);
}

SEC("lsm/socket_bind")
int BPF_PROG(hf_socket_bind, struct socket *sock, struct sockaddr *address, int addrlen) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_BIND, HF_VIA_BIND));
}

SEC("lsm/socket_connect")
int BPF_PROG(hf_socket_connect, struct socket *sock, struct sockaddr *address, int addrlen) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_CONNECT, HF_VIA_CONNECT));
}

SEC("lsm/socket_listen")
int BPF_PROG(hf_socket_listen, struct socket *sock, int backlog) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_LISTEN, HF_VIA_LISTEN));
}

/* The file of the socket that will be accepted is there already, and its inode's storage with it. */
static __always_inline int hf_inherit(struct socket *listener, struct socket *accepted) {
  const struct hf_session *s = hf_session();
  const struct hf_socket_labels *from;
  struct hf_socket_labels *to;
  if (!s || !hf_ruled_member(s)) return 0;
  from = hf_mirror_of(listener, 0);
  if (!from) return 0;
  to = hf_mirror_of(accepted, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!to) return -HF_EPERM;
  hf_copy_ids(to->ids, from);
  to->unknown = from->unknown;
  to->inherited_from = listener->sk ? bpf_get_socket_cookie(listener->sk) : 0;
  return 0;
}

SEC("lsm/socket_accept")
int BPF_PROG(hf_socket_accept, struct socket *sock, struct socket *newsock) {
  int refused = hf_socket(sock, HF_SOCK_ACCEPT, HF_VIA_ACCEPT);
  if (!refused && hf_label_words.inherit) refused = hf_inherit(sock, newsock);
  return hf_socket_answer(refused);
}

/* Every way of sending ends here: send, write, sendfile, splice, aio, a ring. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(hf_socket_sendmsg, struct socket *sock, struct msghdr *msg, int size) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_SEND, HF_VIA_SEND));
}

SEC("lsm/file_permission")
int BPF_PROG(hf_send_pages, struct file *file, int mask) {
  struct socket *sock = hf_gets_pages(file, mask);
  if (!sock) return 0;
  return hf_socket_answer(hf_socket(sock, HF_SOCK_SEND, HF_VIA_SEND));
}

/* A message with MSG_FASTOPEN connects, and the kernel does not ask about that by itself. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(hf_socket_fastopen, struct socket *sock, struct msghdr *message, int size) {
  if (!(message->msg_flags & HF_MSG_FASTOPEN)) return 0;
  return hf_socket_answer(hf_socket(sock, HF_SOCK_CONNECT, HF_VIA_CONNECT));
}

/*
 * SCTP binds and connects by other names too: setsockopt(), and a message that connects. The kernel hands the socket
 * over in a form whose labels cannot be read, so where bind or connect are ruled about, these are refused.
 */
SEC("lsm/sctp_bind_connect")
int BPF_PROG(hf_sctp_bind_connect, struct sock *sk, int option, struct sockaddr *address, int addrlen) {
  int binds = hf_binds_by_option(option);
  struct hf_request r = {.op = HF_OP_SOCKET, .flags = HF_REQ_FACTS_MISSING};
  struct hf_context context = {.voice = HF_SAY};
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  r.sock_op = binds ? HF_SOCK_BIND : HF_SOCK_CONNECT;
  r.via = binds ? HF_VIA_BIND : HF_VIA_CONNECT;
  if (!hf_socket_subject(s, &r, &context)) return 0;
  r.sock_family = hf_family_of(sk->__sk_common.skc_family);
  context.target = bpf_get_socket_cookie(sk);
  return hf_socket_answer(hf_conclude_socket(&r, &context));
}

#endif /* HOLDFAST_BPF_RUN_SOCKET_BPF_H */
