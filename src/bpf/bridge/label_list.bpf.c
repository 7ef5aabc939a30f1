// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Linked to an object that imports bpf_sock_read_xattr(), on kernels whose sockets have labels that programs cannot read
 * (label_reader.h).
 */
#include "bpf/bridge/label_walk.bpf.h"

__hidden int bpf_sock_read_xattr(struct socket *sock, const char *name, struct bpf_dynptr *value) {
  return read_label(sock, name, value);
}
