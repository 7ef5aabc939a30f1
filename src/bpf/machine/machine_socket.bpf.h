/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket rules for services and runs: bind, connect, listen, accept and send, decided by the profile of the task, the labels
 * of the socket and, for unix sockets, of its peer.
 *
 * lsm/socket_connect and lsm/socket_sendmsg come before the kernel has looked up whom a unix socket meets. So they leave a
 * decision that depends on the peer to lsm/unix_stream_connect and lsm/unix_may_send, and note that for the task. The kernel
 * calls these with the other socket locked and alive; it connects no stream and delivers no datagram without them. A datagram
 * that waits for room looks its receiver up again when that has gone, and asks again. Each time is decided, so the one that is
 * judged is the one that gets it. The policy may be another one by then: it decides, whatever it says about peers.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_SOCKET_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_SOCKET_BPF_H

#include "bpf/machine/machine_label_maps.bpf.h"
#include "bpf/machine/machine_ruled.bpf.h"

/* HF_SOCK_* that a task has begun and that is decided when it meets its peer, and from bit PEER_LAYER on the numbers of
 * the layers that decide then; 0: none. Room for every task (map_room.h). */
#define PEER_LAYER 16
#define PEER_OPERATION 0xffffu
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TASK_ROOM_LEAST);
  __type(key, __u64);
  __type(value, __u32);
} peer_calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hf_accept);
} accepts SEC(".maps");

/* Accepts that were refused when their peer was known; 0: no operation has to look. */
__u64 accepts_refused;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  /* Two generations while one replaces the other, and those of ordinary users. */
  __uint(max_entries, 2 * HF_LABEL_IDS_MAX + HF_USER_ENTRIES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_label_id_key);
  __type(value, __u32);
} label_ids SEC(".maps");

/* ---- labels ---------------------------------------------------------------------------------------------- */

static __always_inline const __u32 *meaning_of(__u64 generation, __u64 hash, __u32 kind) {
  struct hf_label_id_key key = {.generation = generation, .hash = hash, .kind = kind};
  return bpf_map_lookup_elem(&label_ids, &key);
}

struct label_values {
  __u32 ids[HF_MAX_LABEL_NAMES]; /* by index of the name */
};

/* How a question about a socket begins; its labels follow. */
static __always_inline __u64 question_of(const struct sock *sk, const struct ruled_task *task) {
  const __u64 about = (__u64)task->profile << 32 | (__u64)task->asked << 16 | sk->__sk_common.skc_family;
  return hf_take_word(hf_take_word(0xc4ceb9fe1a85ec53ull, task->generation), about);
}

/* The question with one label more. */
static __always_inline __u64 ask_with(__u64 question, __u64 name, __u64 value) {
  return hf_take_word(hf_take_word(question, name), value);
}

/*
 * In the terms of the policy. -1: some are not known. The same labels, as they were read here, are added to the question. A
 * global function: verified once, whatever is known of the labels.
 */
__noinline int read_ids(struct hf_machine_labels *labels, __u64 generation, struct label_values *values,
                        __u64 *question) {
  if (!labels || !values || !question) return -1;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_MACHINE_LABELS; i++) {
    __u64 name, value;
    const __u32 *known;
    __u32 index = i;
    if (i >= labels->used) break;
    HF_OPAQUE(index);
    if (index >= HF_MACHINE_LABELS) break;
    name = *(volatile __u64 *)&labels->labels[index].name;
    value = *(volatile __u64 *)&labels->labels[index].value;
    *question = ask_with(*question, name, value);
    if (!name || value == HF_LABEL_HASH_ABSENT) continue;
    known = meaning_of(generation, name, HF_LABEL_IS_NAME);
    if (!known) continue;
    index = *known;
    HF_OPAQUE(index);
    if (index >= HF_MAX_LABEL_NAMES) return -1;
    known = value == HF_LABEL_HASH_LONG ? 0 : meaning_of(generation, value, HF_LABEL_IS_VALUE);
    values->ids[index] = known ? *known : HF_LABEL_ID_OTHER;
  }
  return labels->unknown ? -1 : 0;
}

/* Returns 0, or -1 when they are not known. */
static __always_inline int read_labels(struct socket *sock, __u64 generation, __u32 *ids, __u64 *question) {
  struct inode *inode = hf_inode_of(sock);
  struct hf_machine_labels *labels;
  if (labels_lost) return -1;
  if (!inode) return 0;
  labels = labels_of_inode(inode, 0);
  return labels ? read_ids(labels, generation, (struct label_values *)ids, question) : 0;
}

/* ---- decided before -------------------------------------------------------------------------------------- */

/*
 * What is asked by a task's own labels has the same answer until the labels or the policy change, and most sockets are
 * asked about again and again. So what was allowed without a word is remembered with the labels, under a digest of all that
 * the decision depends on. 1: it was; the decision is counted.
 */
static __noinline int was_allowed(struct socket *sock, const struct ruled_task *task) {
  struct hf_machine_labels *labels;
  struct hf_allowed allowed;
  struct inode *inode;
  struct sock *sk;
  __u64 question;
  if (!sock || !task || task->unknown || labels_lost) return 0;
  inode = hf_inode_of(sock);
  sk = sock->sk;
  if (!inode || !sk) return 0;
  labels = labels_of_inode(inode, 0);
  if (!labels || labels->unknown) return 0;
  allowed = labels->allowed;
  if (!allowed.seal || allowed.seal != hf_allowed_seal(&allowed)) return 0;
  question = question_of(sk, task);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_MACHINE_LABELS; i++) {
    __u32 at = i;
    if (i >= labels->used) break;
    HF_OPAQUE(at);
    if (at >= HF_MACHINE_LABELS) break;
    question = ask_with(question, labels->labels[at].name, labels->labels[at].value);
  }
  if (question != allowed.question) return 0;
  count_allowed(task->slot, allowed.counters);
  return 1;
}

static __noinline int remember_allowed(struct socket *sock, const struct ruled_task *task) {
  struct hf_allowed allowed = {};
  struct hf_machine_labels *labels;
  struct inode *inode;
  if (!sock || !task || !task->question || task->verdict.action != HF_ALLOW || task->verdict.log) return 0;
  inode = hf_inode_of(sock);
  labels = inode ? labels_of_inode(inode, 0) : 0;
  if (!labels) return 0;
  allowed.question = task->question;
  allowed.counters = task->slot ? 0 : counters_of(task->generation, task->verdict.profile);
  allowed.seal = hf_allowed_seal(&allowed);
  labels->allowed = allowed;
  return 0;
}

/* ---- a socket alone -------------------------------------------------------------------------------------- */

static __always_inline __u32 *peer_call_of(__u64 task) { return bpf_map_lookup_elem(&peer_calls, &task); }

/* What was left over from the call before. */
static __always_inline void forget_peer_call(void) {
  __u32 *call = peer_call_of(bpf_get_current_task());
  if (call) *call = 0;
}

/* Whom an accept will find is not known yet: machine_graft decides then. 0: there is no room to say so. */
static __noinline int note_accept(struct socket *listener, struct socket *accepted, __u32 index) {
  struct inode *inode, *own;
  struct hf_machine_labels *labels;
  struct hf_accept *accept;
  struct sock *sk;
  if (!listener || !accepted) return 0;
  inode = hf_inode_of(accepted);
  own = hf_inode_of(listener);
  sk = listener->sk;
  if (!inode || !sk) return 0;
  accept = bpf_inode_storage_get(&accepts, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!accept) return 0;
  labels = own ? labels_of_inode(own, 0) : 0;
  if (labels && bpf_probe_read_kernel(&accept->own, sizeof(accept->own), labels)) return 0;
  if (labels_lost) accept->own.unknown = 1;
  accept->listener = bpf_get_socket_cookie(sk);
  accept->layers |= 1u << (index & 7u);
  return 1;
}

/* A rule asks for the peer's labels. 1: the peer is met later in the same call, which decides. */
static __noinline int peer_comes_later(struct sock *sk, struct ruled_task *task, __u32 index, struct hf_request *r) {
  __u64 current = bpf_get_current_task();
  struct socket *peer;
  __u32 *begun, call, operation;
  if (!sk || !task || !r) return 0;
  operation = r->sock_op;
  if (operation != HF_SOCK_CONNECT && operation != HF_SOCK_SEND) return 0;
  if (operation == HF_SOCK_SEND && sk->sk_type != HF_SOCK_DGRAM) {
    if (!hf_connected_peer(sk, &peer) || read_labels(peer, task->generation, r->peer_labels, &task->question))
      r->flags |= HF_REQ_FACTS_MISSING;
    return 0;
  }
  begun = peer_call_of(current);
  call = operation | 1u << (PEER_LAYER + (index & 7u)) | (begun ? *begun & ~PEER_OPERATION : 0);
  if (!bpf_map_update_elem(&peer_calls, &current, &call, BPF_ANY)) return 1;
  r->flags |= HF_REQ_FACTS_MISSING;
  return 0;
}

static __always_inline void begin_request(struct hf_request *r, const struct ruled_task *task) {
  r->sock_op = task->asked;
  r->via = hf_via_of(task->asked);
  r->subject = task->profile;
  if (task->unknown) r->flags |= HF_REQ_FACTS_MISSING;
}

static __always_inline void read_own_labels(struct socket *sock, struct ruled_task *task, struct hf_request *r) {
  if (read_labels(sock, task->generation, r->own_labels, &task->question) && (task->rules.own_operations & r->sock_op))
    r->flags |= HF_REQ_FACTS_MISSING;
}

/* The socket by which the process that started a session hears of its first member. No rule applies to it. */
static __noinline int is_channel(__u32 slot, __u64 cookie) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  return session && session->channel && session->channel == cookie;
}

/* `accepted`: with HF_SOCK_ACCEPT, the socket that becomes the accepted one. */
static __noinline int ask_socket(const struct hf_tables *tables, struct socket *sock, struct ruled_task *task,
                                 __u32 index, struct socket *accepted) {
  struct hf_request r = {.op = HF_OP_SOCKET, .sock_family = HF_FAMILY_OTHER};
  __u64 cookie = 0;
  struct sock *sk;
  if (!task || !sock) return -HF_EPERM;
  begin_request(&r, task);
  sk = sock->sk;
  if (sk) {
    r.sock_family = hf_family_of(sk->__sk_common.skc_family);
    cookie = bpf_get_socket_cookie(sk);
    if (is_channel(task->slot, cookie)) return 0;
    if (r.sock_family == HF_FAMILY_UNIX && (task->rules.peer_operations & task->asked)) {
      if (task->asked != HF_SOCK_ACCEPT) {
        if (peer_comes_later(sk, task, index, &r)) return 0;
      } else if (note_accept(sock, accepted, index)) {
        return 0;
      } else {
        r.flags |= HF_REQ_FACTS_MISSING;
      }
    }
  } else {
    r.flags |= HF_REQ_FACTS_MISSING;
  }
  if (sk && !task->unknown) task->question = question_of(sk, task);
  read_own_labels(sock, task, &r);
  if (task->rules.peer_operations & task->asked) task->question = 0;
  return conclude_socket((struct hf_tables *)tables, &r, task, cookie);
}

/*
 * Has layer number `index` something to say about the operation of this task? Then whose rules, and the tables that decide;
 * null ones refuse.
 */
static __always_inline int rules_for(struct ruled_task *task, __u32 index, __u32 operation,
                                     const struct hf_tables **tables) {
  *tables = find_ruled(task, index);
  task->asked = operation;
  return task->unknown || (*tables && (task->rules.operations & operation));
}

/* An operation on a socket, which each layer decides: the context of the next functions. */
struct socket_call {
  struct socket *sock;
  struct socket *accepted; /* or null */
  __u32 operation;
  int refused;
};

static long decide_in_layer(__u32 index, struct socket_call *call) {
  struct ruled_task task = {};
  const struct hf_tables *tables = find_subject(&task, index);
  int refused;
  if (!tables && !task.unknown) return 0;
  task.asked = call->operation;
  if (was_allowed(call->sock, &task) || !find_rules(&task)) return 0;
  if (!task.unknown && !(task.rules.operations & call->operation)) return 0;
  refused = ask_socket(tables, call->sock, &task, index, call->accepted);
  if (refused)
    call->refused = stronger(call->refused, refused);
  else
    remember_allowed(call->sock, &task);
  return 0;
}

static __always_inline int decide_operation(struct socket *sock, struct socket *accepted, __u32 operation) {
  struct socket_call call = {.sock = sock, .accepted = accepted, .operation = operation};
  if (socket_peers) forget_peer_call();
  if (!(socket_operations & operation)) return 0;
  bpf_loop(layers_now(), decide_in_layer, &call, 0);
  return call.refused;
}

static __always_inline int decide_socket(struct socket *sock, __u32 operation) {
  return decide_operation(sock, 0, operation);
}

SEC("lsm/socket_bind")
int BPF_PROG(machine_bind, struct socket *sock, struct sockaddr *address, int addrlen) {
  return hf_socket_answer(decide_socket(sock, HF_SOCK_BIND));
}

SEC("lsm/socket_connect")
int BPF_PROG(machine_connect, struct socket *sock, struct sockaddr *address, int addrlen) {
  return hf_socket_answer(decide_socket(sock, HF_SOCK_CONNECT));
}

SEC("lsm/socket_listen")
int BPF_PROG(machine_listen, struct socket *sock, int backlog) {
  return hf_socket_answer(decide_socket(sock, HF_SOCK_LISTEN));
}

/* Every way of sending ends here: send, write, sendfile, splice, aio, a ring. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(machine_send, struct socket *sock, struct msghdr *msg, int size) {
  return hf_socket_answer(decide_socket(sock, HF_SOCK_SEND));
}

/* A message with MSG_FASTOPEN connects, and the kernel does not ask about that by itself. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(machine_fastopen, struct socket *sock, struct msghdr *message, int size) {
  if (!(socket_operations & HF_SOCK_CONNECT) || !(message->msg_flags & HF_MSG_FASTOPEN)) return 0;
  return hf_socket_answer(decide_socket(sock, HF_SOCK_CONNECT));
}

/* Only loaded before Linux 6.5. */
SEC("lsm/file_permission")
int BPF_PROG(machine_pages, struct file *file, int mask) {
  struct socket *sock;
  if (!(socket_operations & HF_SOCK_SEND)) return 0;
  sock = hf_gets_pages(file, mask);
  return sock ? hf_socket_answer(decide_socket(sock, HF_SOCK_SEND)) : 0;
}

static __noinline int ask_blindly(const struct hf_tables *tables, struct sock *sk, struct ruled_task *task) {
  struct hf_request r = {.op = HF_OP_SOCKET, .flags = HF_REQ_FACTS_MISSING};
  if (!sk || !task) return -HF_EPERM;
  begin_request(&r, task);
  r.sock_family = hf_family_of(sk->__sk_common.skc_family);
  return conclude_socket((struct hf_tables *)tables, &r, task, bpf_get_socket_cookie(sk));
}

struct blind_call {
  struct sock *sk;
  __u32 operation;
  int refused;
};

static long decide_blindly(__u32 index, struct blind_call *call) {
  struct ruled_task task = {};
  const struct hf_tables *tables;
  if (rules_for(&task, index, call->operation, &tables))
    call->refused = stronger(call->refused, ask_blindly(tables, call->sk, &task));
  return 0;
}

/*
 * SCTP binds and connects by other names too: setsockopt(), and a message that connects. The kernel hands the socket
 * over in a form whose labels cannot be read, so where bind or connect are ruled about, these are refused.
 */
SEC("lsm/sctp_bind_connect")
int BPF_PROG(machine_sctp, struct sock *sk, int option, struct sockaddr *address, int addrlen) {
  struct blind_call call = {.sk = sk};
  call.operation = hf_binds_by_option(option) ? HF_SOCK_BIND : HF_SOCK_CONNECT;
  if (!(socket_operations & call.operation)) return 0;
  bpf_loop(layers_now(), decide_blindly, &call, 0);
  return hf_socket_answer(call.refused);
}

/* ---- accepting ------------------------------------------------------------------------------------------- */

/* Copies all labels. The file of the socket that will be accepted exists already, and no other task has it yet. */
static __noinline int inherit_labels(struct socket *listener, struct socket *accepted) {
  struct inode *from_inode = hf_inode_of(listener), *to_inode = hf_inode_of(accepted);
  void *from, *to;
  if (!from_inode) return 0;
  if (labels_lost || !to_inode) return -1;
  if (kernel_labels) {
    from = bpf_inode_storage_get(&machine_labels, from_inode, 0, 0);
    if (!from) return 0;
    to = bpf_inode_storage_get(&machine_labels, to_inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    return to ? bpf_probe_read_kernel(to, sizeof(struct hf_machine_labels), from) : -1;
  }
  from = bpf_inode_storage_get(&label_store, from_inode, 0, 0);
  if (!from) return 0;
  to = bpf_inode_storage_get(&label_store, to_inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  return to ? bpf_probe_read_kernel(to, sizeof(struct hf_label_store), from) : -1;
}

struct accept_call {
  struct socket *listener;
  struct socket *accepted;
  __u64 refused;
};

static long inherit_in_layer(__u32 index, struct accept_call *call) {
  struct ruled_task task = {};
  const struct hf_tables *tables = find_ruled(&task, index);
  if (!tables && !task.unknown) return 0;
  if (!task.unknown && !(task.rules.labels & HF_LABELS_INHERIT)) return 0;
  if (!task.unknown && !inherit_labels(call->listener, call->accepted)) return 0;
  task.unknown = 1;
  task.asked = HF_SOCK_ACCEPT;
  if (ask_socket(tables, call->listener, &task, index, 0)) call->refused = 1;
  return 0;
}

SEC("lsm/socket_accept")
int BPF_PROG(machine_accept, struct socket *sock, struct socket *newsock) {
  struct accept_call call = {.listener = sock, .accepted = newsock};
  int refused = decide_operation(sock, newsock, HF_SOCK_ACCEPT);
  if (refused || !label_inherits) return hf_socket_answer(refused);
  bpf_loop(layers_now(), inherit_in_layer, &call, 0);
  return hf_socket_answer(call.refused ? -HF_EPERM : 0);
}

/* ---- an accept, when its peer is known ------------------------------------------------------------------- */

struct accepted_call {
  struct sock *sk;
  struct hf_accept *accept;
  __u32 layers;
  int refused;
};

static __noinline int ask_accepted(const struct hf_tables *tables, struct sock *sk, struct hf_accept *accept,
                                   struct ruled_task *task) {
  struct hf_request r = {.op = HF_OP_SOCKET, .sock_family = HF_FAMILY_UNIX};
  struct hf_machine_labels *labels;
  struct inode *inode;
  if (!sk || !accept || !task) return -HF_EPERM;
  begin_request(&r, task);
  if (read_ids(&accept->own, task->generation, (struct label_values *)r.own_labels, &task->question) &&
      (task->rules.own_operations & HF_SOCK_ACCEPT))
    r.flags |= HF_REQ_FACTS_MISSING;
  inode = hf_inode_of_peer(sk);
  labels = inode ? labels_of_inode(inode, 0) : 0;
  if (!inode || labels_lost ||
      (labels && read_ids(labels, task->generation, (struct label_values *)r.peer_labels, &task->question)))
    r.flags |= HF_REQ_FACTS_MISSING;
  return conclude_socket((struct hf_tables *)tables, &r, task, accept->listener);
}

static long accept_in_layer(__u32 index, struct accepted_call *call) {
  const struct hf_tables *tables;
  struct ruled_task task = {};
  if (!(call->layers & 1u << (index & 7u))) return 0;
  if (rules_for(&task, index, HF_SOCK_ACCEPT, &tables) && ask_accepted(tables, call->sk, call->accept, &task))
    call->refused = 1;
  return 0;
}

/*
 * The kernel has taken a connection from the queue and gives it to the socket that the caller gets. No hook can make the
 * accept fail any more. So a refused connection is dead: no task that has its descriptor can send or receive on it.
 */
SEC("lsm/sock_graft")
int BPF_PROG(machine_graft, struct sock *sk, struct socket *accepted) {
  struct accepted_call call = {.sk = sk};
  struct inode *inode = hf_inode_of(accepted);
  if (!inode) return 0;
  call.accept = bpf_inode_storage_get(&accepts, inode, 0, 0);
  if (!call.accept || !call.accept->layers) return 0;
  call.layers = call.accept->layers;
  call.accept->layers = 0;
  bpf_loop(layers_now(), accept_in_layer, &call, 0);
  if (!call.refused) return 0;
  count(&accepts_refused);
  call.accept->refused = 1;
  return 0;
}

static __always_inline int is_refused(struct inode *inode) {
  struct hf_accept *accept;
  if (!accepts_refused || !inode) return 0;
  accept = bpf_inode_storage_get(&accepts, inode, 0, 0);
  return accept && accept->refused;
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(machine_dead_send, struct socket *sock, struct msghdr *msg, int size) {
  return hf_answer(is_refused(hf_inode_of(sock)));
}

SEC("lsm/socket_recvmsg")
int BPF_PROG(machine_dead_receive, struct socket *sock, struct msghdr *msg, int size, int flags) {
  return hf_answer(is_refused(hf_inode_of(sock)));
}

/* What reads and writes without a message: splice(), and sendfile() before Linux 6.5. */
SEC("lsm/file_permission")
int BPF_PROG(machine_dead_file, struct file *file, int mask) {
  if (!accepts_refused) return 0;
  return hf_answer(is_refused(file->f_inode));
}

/* ---- a unix socket and its peer -------------------------------------------------------------------------- */

static __noinline int ask_peer(const struct hf_tables *tables, struct sock *sk, struct socket *own, struct socket *peer,
                               struct ruled_task *task) {
  struct hf_request r = {.op = HF_OP_SOCKET, .sock_family = HF_FAMILY_UNIX};
  if (!sk || !task) return -HF_EPERM;
  begin_request(&r, task);
  read_own_labels(own, task, &r);
  if (read_labels(peer, task->generation, r.peer_labels, &task->question) &&
      (task->rules.peer_operations & task->asked))
    r.flags |= HF_REQ_FACTS_MISSING;
  return conclude_socket((struct hf_tables *)tables, &r, task, bpf_get_socket_cookie(sk));
}

struct peer_call {
  struct sock *sk;
  struct socket *own;
  struct socket *peer;
  __u32 begun; /* as in peer_calls */
  int refused;
};

static long meet_in_layer(__u32 index, struct peer_call *call) {
  const struct hf_tables *tables;
  struct ruled_task task = {};
  if (!(call->begun >> PEER_LAYER & 1u << (index & 7u))) return 0;
  if (rules_for(&task, index, call->begun & PEER_OPERATION, &tables))
    call->refused = stronger(call->refused, ask_peer(tables, call->sk, call->own, call->peer, &task));
  return 0;
}

static __always_inline int meet_peer(struct sock *sk, struct socket *own, struct socket *peer) {
  struct peer_call call = {.sk = sk, .own = own, .peer = peer};
  const __u32 *begun;
  if (!socket_peers) return 0;
  begun = peer_call_of(bpf_get_current_task());
  if (!begun || !*begun) return 0;
  call.begun = *begun;
  bpf_loop(layers_now(), meet_in_layer, &call, 0);
  return call.refused;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(machine_meet, struct sock *sk, struct sock *other, struct sock *newsk) {
  return hf_socket_answer(meet_peer(sk, sk->sk_socket, other->sk_socket));
}

/* Also when a datagram socket connects. */
SEC("lsm/unix_may_send")
int BPF_PROG(machine_meet_datagram, struct socket *sock, struct socket *other) {
  return hf_socket_answer(meet_peer(sock->sk, sock, other));
}

SEC("lsm/task_free")
int BPF_PROG(machine_socket_end, struct task_struct *task) {
  __u64 key = (__u64)task;
  if (socket_peers) bpf_map_delete_elem(&peer_calls, &key);
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_SOCKET_BPF_H */
