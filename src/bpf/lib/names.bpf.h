/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comparing a name that was read with one that is known. There is no memcmp to call. */
#ifndef HOLDFAST_BPF_LIB_NAMES_BPF_H
#define HOLDFAST_BPF_LIB_NAMES_BPF_H

#include <linux/types.h>

static __attribute__((always_inline)) inline int hf_starts_with(const char *name, const char *literal, __u32 bytes) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < bytes; i++)
    if (name[i] != literal[i]) return 0;
  return 1;
}

/* `name`: a buffer as long as the literal or longer. The literal's zero byte is compared too. */
#define HF_SAME(name, literal) hf_starts_with(name, literal, sizeof(literal))
/* And not its zero byte. */
#define HF_BEGINS(name, literal) hf_starts_with(name, literal, sizeof(literal) - 1)

#endif /* HOLDFAST_BPF_LIB_NAMES_BPF_H */
