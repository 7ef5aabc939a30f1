/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket rules: members' bind, connect, listen, accept and send, decided by the labels of the socket.
 *
 * The labels are read from the socket itself at the time of the decision (bpf_sock_read_xattr, Linux 7.3),
 * which takes no lock, so nothing is mirrored and nothing can be stale. The names to read have to be constants
 * to the verifier: user space puts them into read-only data before loading.
 *
 * A value is compared with those that rules name by looking it up in a hash. The buffer that it is read
 * into belongs to the task, by a hash keyed by its address: a buffer of the processor could be overwritten by
 * another task that preempts this one in the same program.
 */
#ifndef HOLDFAST_BPF_SOCKET_BPF_H
#define HOLDFAST_BPF_SOCKET_BPF_H

#include "bpf/decision.bpf.h"
#include "core/bucket.h"

extern int bpf_sock_read_xattr(struct socket *sock, const char *name__str, struct bpf_dynptr *value) __ksym __weak;

#define HF_ENODATA 61
#define HF_ERANGE 34
#define HF_EOPNOTSUPP 95
#define HF_MSG_FASTOPEN 0x20000000
#define HF_S_IFMT 0170000
#define HF_S_IFSOCK 0140000
#define HF_LABEL_ID_UNREADABLE 0xfffffffeu

/* What the policy of the session says about labels, from user space. */
const volatile struct hf_label_words hf_label_words SEC(".rodata.labels") = {};

/* Values that rules name, and names that members may set. Bytes behind the text are zero. */
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
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_LABEL_TEXTS_MAX);
  __type(key, __u64);
  __type(value, struct hf_label_text);
} label_texts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_label_text);
} empty_text SEC(".maps");

struct hf_bucket_key {
  __u64 cgroup;
  __u32 rule;
  __u32 pad0;
};

struct hf_locked_bucket {
  struct bpf_spin_lock lock;
  __u32 pad0;
  struct hf_bucket bucket;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_BUCKETS_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_bucket_key);
  __type(value, struct hf_locked_bucket);
} buckets SEC(".maps");

/* The current task's buffer, all zero. */
static __always_inline struct hf_label_text *hf_own_text(void) {
  __u64 task = bpf_get_current_task();
  __u32 zero = 0;
  struct hf_label_text *empty = bpf_map_lookup_elem(&empty_text, &zero);
  if (!empty || bpf_map_update_elem(&label_texts, &task, empty, BPF_ANY)) return 0;
  return bpf_map_lookup_elem(&label_texts, &task);
}

static __always_inline void hf_drop_text(void) {
  __u64 task = bpf_get_current_task();
  bpf_map_delete_elem(&label_texts, &task);
}

static __always_inline __u32 hf_label_of(struct socket *sock, const char *name) {
  struct hf_label_text *text = hf_own_text();
  struct bpf_dynptr value;
  __u32 *id;
  int length;
  if (!text) return HF_LABEL_ID_UNREADABLE;
  if (bpf_dynptr_from_mem(text->text, sizeof(text->text), 0, &value)) return HF_LABEL_ID_UNREADABLE;
  length = bpf_sock_read_xattr(sock, name, &value);
  if (length == -HF_ENODATA || length == -HF_EOPNOTSUPP) return HF_LABEL_ID_ABSENT;
  if (length == -HF_ERANGE) return HF_LABEL_ID_OTHER; /* longer than any that a rule may name */
  if (length < 0) return HF_LABEL_ID_UNREADABLE;
  text->length = length;
  id = bpf_map_lookup_elem(&label_values, text);
  return id ? *id : HF_LABEL_ID_OTHER;
}

#define HF_READ_LABEL(i) \
  if (i < hf_label_words.count) { \
    __u32 id_ = hf_label_of(sock, (const char *)hf_label_words.names[i]); \
    if (id_ == HF_LABEL_ID_UNREADABLE) r->flags |= HF_REQ_FACTS_MISSING; \
    r->own_labels[i] = id_; \
  }

static __always_inline void hf_read_labels(struct socket *sock, struct hf_request *r) {
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

static __always_inline __u16 hf_family_of(__u16 family) {
  switch (family) {
    case 1:
      return HF_FAMILY_UNIX;
    case 2:
      return HF_FAMILY_INET;
    case 10:
      return HF_FAMILY_INET6;
    case 16:
      return HF_FAMILY_NETLINK;
    case 17:
      return HF_FAMILY_PACKET;
    case 40:
      return HF_FAMILY_VSOCK;
    default:
      return HF_FAMILY_OTHER;
  }
}

static __always_inline const struct hf_socket_rule *hf_rule_of(const struct hf_tables *t, __u32 subject,
                                                               __u32 rule_id) {
  const struct hf_profile *own = hf_profile_at(t, subject);
  if (!own) return 0;
  for (__u32 i = 0; i < HF_MAX_PROFILE_SOCKET_RULES; i++) {
    __u32 at = own->socket_first + i;
    if (i >= own->socket_count) return 0;
    HF_OPAQUE(at);
    if (at >= HF_MAX_SOCKET_RULES) return 0;
    if (t->socket_rules[at].rule == rule_id) return &t->socket_rules[at];
  }
  return 0;
}

/* Takes a token of the rule's bucket for the current cgroup: 1, or 0. */
__noinline int hf_take_token(__u32 slot, __u32 subject, __u32 rule_id) {
  const struct hf_tables *t = hf_tables_at(slot);
  struct hf_bucket_key key = {.rule = rule_id, .cgroup = bpf_get_current_cgroup_id()};
  struct hf_locked_bucket fresh = {};
  const struct hf_socket_rule *rule;
  struct hf_locked_bucket *bucket;
  __u64 now = bpf_ktime_get_boot_ns();
  int had;
  if (!t) return 0;
  rule = hf_rule_of(t, subject, rule_id);
  if (!rule) return 0;
  bucket = bpf_map_lookup_elem(&buckets, &key);
  if (!bucket) {
    bpf_map_update_elem(&buckets, &key, &fresh, BPF_NOEXIST);
    bucket = bpf_map_lookup_elem(&buckets, &key);
  }
  if (!bucket) return 0;
  bpf_spin_lock(&bucket->lock);
  had = hf_bucket_take(&bucket->bucket, now, rule);
  bpf_spin_unlock(&bucket->lock);
  return had;
}

__noinline int hf_judge_socket(struct hf_request *r, struct hf_verdict *v, __u32 slot) {
  const struct hf_tables *t = hf_tables_at(slot);
  if (!r || !v) return -HF_EPERM;
  if (t) {
    hf_decide_some(t, r, 1u << HF_HOOK_SOCKET | 1u << HF_HOOK_LABEL, v);
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
    int had = hf_take_token(context->slot, r->subject, v.rule);
    t = hf_tables_at(context->slot);
    if (!t) return -HF_EPERM;
    hf_settle(t, &v, had);
  }
  hf_count(s, &v);
  if (v.log) hf_report(s, r, &v, context);
  return hf_enforced_error(&v);
}

/* As hf_answer(), for the two errnos of sockets. */
static __always_inline int hf_socket_answer(int error) {
  if (!error) return 0;
  asm volatile("");
  if (error == -HF_EAGAIN) return -HF_EAGAIN;
  asm volatile("");
  return -HF_EPERM;
}

static __always_inline const struct hf_member *hf_ruled_member(const struct hf_session *s) {
  const struct hf_member *member = hf_member_of(bpf_get_current_task());
  if (!member || hf_not_yet_ruled(s, member)) return 0;
  return member;
}

static __always_inline int hf_socket(struct socket *sock, __u16 operation, __u16 way) {
  struct hf_request r = {.hook = HF_HOOK_SOCKET, .way = way, .sock_op = operation};
  struct hf_context context = {.voice = HF_SAY, .member = 1};
  struct hf_session *s = hf_session();
  const struct hf_member *member;
  struct sock *sk;
  if (!s) return -HF_EPERM;
  member = hf_ruled_member(s);
  if (!member) return 0;
  if (member->tables == HF_TABLES_POLICY && !(hf_label_words.operations & operation)) return 0;
  context.task = bpf_get_current_task();
  context.slot = member->tables;
  r.subject = member->profile;
  r.subject_set = member->set;
  sk = sock->sk;
  if (!sk) return -HF_EPERM;
  r.sock_family = hf_family_of(sk->__sk_common.skc_family);
  context.target = bpf_get_socket_cookie(sk);
  hf_read_labels(sock, &r);
  hf_drop_text();
  if (r.sock_family == HF_FAMILY_UNIX && (hf_label_words.peer_operations & operation))
    r.flags |= HF_REQ_FACTS_MISSING; /* the peer's labels cannot be read here */
  return hf_conclude_socket(&r, &context);
}

SEC("lsm/socket_bind")
int BPF_PROG(hf_socket_bind, struct socket *sock) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_BIND, HF_WAY_BIND));
}

SEC("lsm/socket_connect")
int BPF_PROG(hf_socket_connect, struct socket *sock) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_CONNECT, HF_WAY_CONNECT));
}

SEC("lsm/socket_listen")
int BPF_PROG(hf_socket_listen, struct socket *sock) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_LISTEN, HF_WAY_LISTEN));
}

SEC("lsm/socket_accept")
int BPF_PROG(hf_socket_accept, struct socket *sock) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_ACCEPT, HF_WAY_ACCEPT));
}

/* Every way of sending ends here: send, write, sendfile, splice, aio, a ring. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(hf_socket_sendmsg, struct socket *sock) {
  return hf_socket_answer(hf_socket(sock, HF_SOCK_SEND, HF_WAY_SEND));
}

/* A message with MSG_FASTOPEN connects, and the kernel does not ask about that by itself. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(hf_socket_fastopen, struct socket *sock, struct msghdr *message) {
  if (!(message->msg_flags & HF_MSG_FASTOPEN)) return 0;
  return hf_socket_answer(hf_socket(sock, HF_SOCK_CONNECT, HF_WAY_CONNECT));
}

/* ---- who may label --------------------------------------------------------------------------------------- */

static __always_inline int hf_label_change(struct dentry *dentry, const char *name, __u16 way) {
  struct hf_request r = {.hook = HF_HOOK_LABEL, .way = way};
  struct hf_context context = {.voice = HF_SAY, .member = 1};
  struct hf_session *s = hf_session();
  const struct hf_member *member;
  struct hf_label_text *text;
  struct inode *inode;
  long length;
  if (!s) return -HF_EPERM;
  inode = dentry->d_inode;
  if (!inode) return 0; /* newer verifiers want it asked */
  if ((inode->i_mode & HF_S_IFMT) != HF_S_IFSOCK) return 0;
  member = hf_ruled_member(s);
  if (!member || !hf_label_words.label_ruled) return 0;
  context.task = bpf_get_current_task();
  context.slot = member->tables;
  r.subject = member->profile;
  r.subject_set = member->set;
  text = hf_own_text();
  length = text ? bpf_probe_read_kernel_str(text->text, sizeof(text->text), name) : 0;
  if (!text || length <= 0) {
    r.flags |= HF_REQ_FACTS_MISSING;
  } else {
    int is_label = text->text[0] == 'u' && text->text[1] == 's' && text->text[2] == 'e' && text->text[3] == 'r' &&
                   text->text[4] == '.';
    text->length = length - 1;
    if (bpf_map_lookup_elem(&label_names, text)) r.flags |= HF_REQ_LABEL_LISTED;
    if (!is_label) {
      hf_drop_text();
      return 0;
    }
  }
  hf_drop_text();
  return hf_conclude_socket(&r, &context);
}

/* The first argument is an id map of the mount, of one type or another. */
SEC("lsm/inode_setxattr")
int BPF_PROG(hf_inode_setxattr, void *idmap, struct dentry *dentry, const char *name) {
  return hf_socket_answer(hf_label_change(dentry, name, HF_WAY_LABEL_SET));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(hf_inode_removexattr, void *idmap, struct dentry *dentry, const char *name) {
  return hf_socket_answer(hf_label_change(dentry, name, HF_WAY_LABEL_REMOVE));
}

#endif /* HOLDFAST_BPF_SOCKET_BPF_H */
