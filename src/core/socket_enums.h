/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Converts address families of the kernel and socket operations to the numbers of abi.h. */
#ifndef HOLDFAST_CORE_SOCKET_ENUMS_H
#define HOLDFAST_CORE_SOCKET_ENUMS_H

#include "core/abi.h"
#include "core/inline.h"

/* The HF_FAMILY_* of an AF_*. The numbers of AF_* are the same on every architecture. */
HF_INLINE __u16 hf_family_of(__u16 family) {
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

/* The HF_VIA_* of one HF_SOCK_*. */
HF_INLINE __u16 hf_via_of(__u32 operation) {
  switch (operation) {
    case HF_SOCK_BIND:
      return HF_VIA_BIND;
    case HF_SOCK_CONNECT:
      return HF_VIA_CONNECT;
    case HF_SOCK_LISTEN:
      return HF_VIA_LISTEN;
    case HF_SOCK_ACCEPT:
      return HF_VIA_ACCEPT;
    default:
      return HF_VIA_SEND;
  }
}

#endif /* HOLDFAST_CORE_SOCKET_ENUMS_H */
