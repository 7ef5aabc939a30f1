// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A stand-in for other people's programs that read labels where they can. They load everywhere. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct socket {
  short type;
} __attribute__((preserve_access_index));

extern int bpf_sock_read_xattr(struct socket* sock, const char* name__str,
                               struct bpf_dynptr* value) __ksym __weak;

char LICENSE[] SEC("license") = "GPL";

__u32 monitored = 0; /* a process id */
__s32 exists = -1;
__s32 last_length = 0;
char text[16] = {};

SEC("lsm/socket_connect")
int BPF_PROG(read_if_possible, struct socket* sock) {
  struct bpf_dynptr value;
  if (bpf_get_current_pid_tgid() >> 32 != monitored) return 0;
  exists = bpf_ksym_exists(bpf_sock_read_xattr);
  if (!bpf_ksym_exists(bpf_sock_read_xattr)) return 0;
  if (bpf_dynptr_from_mem(text, sizeof text, 0, &value)) return -EPERM;
  last_length = bpf_sock_read_xattr(sock, "user.varlink", &value);
  return 0;
}
