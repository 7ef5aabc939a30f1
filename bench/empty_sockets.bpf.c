/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that do nothing, where those of the lsm backend for socket rules are. */
#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

#define EMPTY(section, name) \
  SEC(section)               \
  int name(void* ctx) { return 0; }

EMPTY("lsm/socket_bind", socket_bind)
EMPTY("lsm/socket_connect", socket_connect)
EMPTY("lsm/socket_listen", socket_listen)
EMPTY("lsm/socket_accept", socket_accept)
EMPTY("lsm/socket_sendmsg", socket_sendmsg)
EMPTY("lsm/socket_sendmsg", socket_fastopen)
EMPTY("lsm/unix_stream_connect", unix_stream_connect)
EMPTY("lsm/unix_may_send", unix_may_send)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
