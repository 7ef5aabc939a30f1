/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pins of holdfastd on the BPF filesystem, by which enforcement outlives it:
 *
 *     /sys/fs/bpf/holdfast/machine/N/map_NAME    each map of the programs
 *                                    link_NAME   each attached program
 *                                    layout      a map with struct hf_layout. It is pinned last: if it
 *                                                exists, all other pins do
 *
 * N increases. Programs of another build are pinned under the next N and take over before the old pins are removed.
 */
#ifndef HOLDFAST_CORE_PINS_H
#define HOLDFAST_CORE_PINS_H

#include "core/abi.h"

#define HF_LAYOUT_MAGIC 0x4c444648u /* "HFDL" little endian */
#define HF_LAYOUT_VERSION 1u

struct hf_layout {
  __u32 magic;
  __u32 version;     /* HF_LAYOUT_VERSION */
  __u32 abi_version; /* HF_ABI_VERSION of the maps' values */
  __u32 pad0;
  __u64 object;   /* a digest of the compiled programs: if it is equal, code and maps are */
  char build[40]; /* the version of holdfast, for users */
};

HF_LAYOUT(sizeof(struct hf_layout) == 64);
HF_AT(hf_layout, object, 16);

#endif /* HOLDFAST_CORE_PINS_H */
