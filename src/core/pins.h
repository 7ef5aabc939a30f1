/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What holdfastd leaves pinned on the BPF filesystem, so that enforcement outlives it:
 *
 *     /sys/fs/bpf/holdfast/machine/N/map_NAME    each map of the programs
 *                                    link_NAME   each attached program
 *                                    layout      struct hf_layout; pinned last, so that its presence
 *                                                says that the rest is there
 *
 * N grows: programs of another build are pinned beside the ones in force and take over before those go.
 */
#ifndef HOLDFAST_CORE_PINS_H
#define HOLDFAST_CORE_PINS_H

#include "core/abi.h"

#define HF_LAYOUT_MAGIC 0x4c444648u /* "HFDL" little endian */
#define HF_LAYOUT_VERSION 1u

struct hf_layout {
  __u32 magic;
  __u32 version;     /* of this file's description */
  __u32 abi_version; /* HF_ABI_VERSION of the maps' values */
  __u32 pad0;
  __u64 object;   /* digest of the compiled programs: the same means the same code and maps */
  char build[40]; /* holdfast's version, for a reader */
};

HF_LAYOUT(sizeof(struct hf_layout) == 64);
HF_AT(hf_layout, object, 16);

#endif /* HOLDFAST_CORE_PINS_H */
