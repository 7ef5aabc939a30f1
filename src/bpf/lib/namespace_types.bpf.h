/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Converts the kernel's CLONE_NEW* flags (uapi/linux/sched.h) to types of namespaces. */
#ifndef HOLDFAST_BPF_LIB_NAMESPACE_TYPES_BPF_H
#define HOLDFAST_BPF_LIB_NAMESPACE_TYPES_BPF_H

#include "core/abi.h"

#define HF_CLONE_NEWTIME 0x00000080ull
#define HF_CLONE_NEWNS 0x00020000ull
#define HF_CLONE_NEWCGROUP 0x02000000ull
#define HF_CLONE_NEWUTS 0x04000000ull
#define HF_CLONE_NEWIPC 0x08000000ull
#define HF_CLONE_NEWUSER 0x10000000ull
#define HF_CLONE_NEWPID 0x20000000ull
#define HF_CLONE_NEWNET 0x40000000ull
#define HF_CLONE_EMPTY_MNTNS (1ull << 37)    /* clone3: makes a mount namespace by itself */
#define HF_UNSHARE_EMPTY_MNTNS 0x00100000ull /* unshare: implies CLONE_NEWNS */
#define HF_CLONE_CSIGNAL 0xffull             /* clone: the exit signal, not flags */

static __always_inline __u32 hf_types_of_flags(__u64 flags) {
  __u32 types = 0;
  if (flags & (HF_CLONE_NEWNS | HF_CLONE_EMPTY_MNTNS)) types |= HF_NS_MNT;
  if (flags & HF_CLONE_NEWUTS) types |= HF_NS_UTS;
  if (flags & HF_CLONE_NEWIPC) types |= HF_NS_IPC;
  if (flags & HF_CLONE_NEWUSER) types |= HF_NS_USER;
  if (flags & HF_CLONE_NEWPID) types |= HF_NS_PID;
  if (flags & HF_CLONE_NEWNET) types |= HF_NS_NET;
  if (flags & HF_CLONE_NEWCGROUP) types |= HF_NS_CGROUP;
  if (flags & HF_CLONE_NEWTIME) types |= HF_NS_TIME;
  return types;
}

/* unshare() takes 32 bits of flags. One of them has another meaning in clone3(). */
static __always_inline __u32 hf_types_of_unshare(__u64 flags) {
  __u32 types = hf_types_of_flags((__u32)flags);
  if (flags & HF_UNSHARE_EMPTY_MNTNS) types |= HF_NS_MNT;
  return types;
}

#endif /* HOLDFAST_BPF_LIB_NAMESPACE_TYPES_BPF_H */
