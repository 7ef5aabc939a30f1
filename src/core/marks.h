/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks in the maps of the machine-wide programs. A mark is an extended attribute that gives a profile.
 *
 * Keys that depend on a policy contain its generation, like those of paths.h. The entries for marked files, cgroups
 * and tasks contain the mark's id, which depends only on its name and is the same under every policy.
 */
#ifndef HOLDFAST_CORE_MARKS_H
#define HOLDFAST_CORE_MARKS_H

#include "core/abi.h"

#define HF_MARK_NAME 256u          /* XATTR_NAME_MAX and the final NUL */
#define HF_MARKS_MAX 64u           /* marks in one policy */
#define HF_MARKED_FILES_MAX 16384u /* and as many cgroups */

/* Bytes after the name's NUL are zero. */
struct hf_mark_key {
  __u64 generation;
  char name[HF_MARK_NAME];
};

struct hf_mark_id_key {
  __u64 generation;
  __u64 id;
};

struct hf_mark {
  __u64 id; /* a digest of the name, never 0 */
  __u16 profile;
  __u16 pad0;
  __u32 pad1;
};

/* Identifies a file. `generation` distinguishes it from an earlier file with the same inode number. */
struct hf_file_key {
  __u64 inode;
  __u32 device; /* the kernel's own dev_t */
  __u32 generation;
};

HF_LAYOUT(sizeof(struct hf_mark_key) == 264);
HF_LAYOUT(sizeof(struct hf_mark) == 16);
HF_LAYOUT(sizeof(struct hf_file_key) == 16);

#endif /* HOLDFAST_CORE_MARKS_H */
