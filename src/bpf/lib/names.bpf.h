/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compares a name that was read with a literal. BPF has no memcmp(). */
#ifndef HOLDFAST_BPF_LIB_NAMES_BPF_H
#define HOLDFAST_BPF_LIB_NAMES_BPF_H

#include <linux/types.h>

static __attribute__((always_inline)) inline int hf_starts_with(const char *name, const char *literal, __u32 bytes) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < bytes; i++)
    if (name[i] != literal[i]) return 0;
  return 1;
}

/* Is `name` equal to the literal? `name` is a buffer at least as long as the literal with its NUL. */
#define HF_SAME(name, literal) hf_starts_with(name, literal, sizeof(literal))
/* Does `name` begin with the literal? */
#define HF_BEGINS(name, literal) hf_starts_with(name, literal, sizeof(literal) - 1)

#endif /* HOLDFAST_BPF_LIB_NAMES_BPF_H */
