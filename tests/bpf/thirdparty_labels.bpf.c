// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's programs that decide by a socket's labels: a client may not
 * connect. For a kernel that lets programs read them.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;

struct socket {
  struct sock* sk;
} __attribute__((preserve_access_index));

struct sock {
  struct socket* sk_socket;
} __attribute__((preserve_access_index));

extern int bpf_sock_read_xattr(struct socket* sock, const char* name__str,
                               struct bpf_dynptr* value) __ksym;

char LICENSE[] SEC("license") = "GPL";

__u32 monitored = 0; /* a process id */
__s32 last_length = 0;
__s32 long_length = 0;
__s32 trusted_length = 0;
__s32 null_length = 0;
char text[16] = {};
char other[16] = {};

/* What the function answers to calls that are not about user.varlink. */
static __noinline void read_others(struct socket* sock) {
  struct bpf_dynptr value;
  if (bpf_dynptr_from_mem(other, sizeof other, 0, &value)) return;
  long_length =
      bpf_sock_read_xattr(sock, "user.a-name-that-is-longer-than-thirty-one-bytes", &value);
  trusted_length = bpf_sock_read_xattr(sock, "trusted.varlink", &value);
}

static __noinline void read_into_nothing(struct socket* sock) {
  struct bpf_dynptr value;
  bpf_dynptr_from_mem(other, sizeof other, 1 /* no flag of this function */, &value);
  null_length = bpf_sock_read_xattr(sock, "user.varlink", &value);
}

SEC("lsm.s/socket_connect")
int BPF_PROG(clients_stay, struct socket* sock) {
  struct bpf_dynptr value;
  if (bpf_get_current_pid_tgid() >> 32 != monitored) return 0;
  if (bpf_dynptr_from_mem(text, sizeof text, 0, &value)) return -EPERM;
  read_others(sock);
  read_into_nothing(sock);
  last_length = bpf_sock_read_xattr(sock, "user.varlink", &value);
  return last_length == 6 && text[0] == 'c' ? -EPERM : 0;
}

SEC("lsm/socket_listen")
int BPF_PROG(clients_do_not_listen, struct socket* sock) {
  struct bpf_dynptr value;
  if (bpf_get_current_pid_tgid() >> 32 != monitored) return 0;
  if (bpf_dynptr_from_mem(text, sizeof text, 0, &value)) return -EPERM;
  last_length = bpf_sock_read_xattr(sock, "user.varlink", &value);
  return last_length == 6 && text[0] == 'c' ? -EPERM : 0;
}

/* The verifier does not trust the socket here. No kernel loads this. */
SEC("?lsm.s/socket_bind")
int BPF_PROG(not_trusted, struct socket* sock) {
  struct bpf_dynptr value;
  struct sock* sk = sock->sk;
  if (!sk || bpf_dynptr_from_mem(text, sizeof text, 0, &value)) return 0;
  last_length = bpf_sock_read_xattr(sk->sk_socket, "user.varlink", &value);
  return 0;
}
