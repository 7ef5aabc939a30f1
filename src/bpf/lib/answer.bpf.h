/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answer of an LSM program. A branch for each: from 6.12 on the verifier wants to see a number in
 * [-4095, 0], and does not see it in the arithmetic that a compiler makes of `refused ? -1 : 0`.
 */
#ifndef HOLDFAST_BPF_LIB_ANSWER_BPF_H
#define HOLDFAST_BPF_LIB_ANSWER_BPF_H

static __attribute__((always_inline)) inline int hf_answer(int refused) {
  if (!refused) return 0;
  asm volatile("");
  return -1; /* -EPERM: the kernel's callers know no other */
}

#endif /* HOLDFAST_BPF_LIB_ANSWER_BPF_H */
