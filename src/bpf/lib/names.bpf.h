/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compares a name of the kernel with a literal, eight bytes at a time. The verifier would follow a loop over characters
 * step by step.
 */
#ifndef HOLDFAST_BPF_LIB_NAMES_BPF_H
#define HOLDFAST_BPF_LIB_NAMES_BPF_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define HF_NAME_WORDS 5
#define HF_NAME_BYTES (HF_NAME_WORDS * 8)

/* A name, cut to 39 bytes. The bytes after it are zero. */
struct hf_name {
  __u64 words[HF_NAME_WORDS];
};

/* 0, or -1 when it cannot be read. */
static __attribute__((always_inline)) inline int hf_read_name(struct hf_name *to, const void *from) {
  __builtin_memset(to, 0, sizeof(*to));
  return bpf_probe_read_kernel_str(to->words, sizeof(to->words), from) < 0 ? -1 : 0;
}

/* Byte i of a literal, and word w of it; `most` bytes of it count, the others are zero. */
#define HF_NAME_BYTE(literal, i, most) ((i) < (most) ? (__u64)(unsigned char)(literal)[(i) < (most) ? (i) : 0] : 0)
#define HF_NAME_WORD(literal, w, most) \
  (HF_NAME_BYTE(literal, 8 * (w), most) | HF_NAME_BYTE(literal, 8 * (w) + 1, most) << 8 | \
   HF_NAME_BYTE(literal, 8 * (w) + 2, most) << 16 | HF_NAME_BYTE(literal, 8 * (w) + 3, most) << 24 | \
   HF_NAME_BYTE(literal, 8 * (w) + 4, most) << 32 | HF_NAME_BYTE(literal, 8 * (w) + 5, most) << 40 | \
   HF_NAME_BYTE(literal, 8 * (w) + 6, most) << 48 | HF_NAME_BYTE(literal, 8 * (w) + 7, most) << 56)
/* The bytes of word w that lie before byte `most`. */
#define HF_NAME_MASK(w, most) \
  ((most) >= 8 * (w) + 8 ? ~0ull : (most) <= 8 * (w) ? 0ull : (1ull << 8 * ((most)-8 * (w))) - 1)

#define HF_NAME_IS(name, w, literal, most) \
  ((most) <= 8 * (w) || ((name)->words[w] & HF_NAME_MASK(w, most)) == HF_NAME_WORD(literal, w, most))
#define HF_NAME_EQUAL(name, literal, most) \
  (HF_NAME_IS(name, 0, literal, most) && HF_NAME_IS(name, 1, literal, most) && HF_NAME_IS(name, 2, literal, most) && \
   HF_NAME_IS(name, 3, literal, most) && HF_NAME_IS(name, 4, literal, most))

/* Is the name equal to the literal, of at most 38 bytes? Does it begin with the literal? */
#define HF_SAME(name, literal) HF_NAME_EQUAL(name, literal, sizeof(literal))
#define HF_BEGINS(name, literal) HF_NAME_EQUAL(name, literal, sizeof(literal) - 1)

#endif /* HOLDFAST_BPF_LIB_NAMES_BPF_H */
