/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The return value of an LSM program. Each value has its own branch. From Linux 6.12 on the verifier has to see a
 * constant in [-4095, 0], and it does not in the arithmetic that a compiler makes of `refused ? -1 : 0`.
 */
#ifndef HOLDFAST_BPF_LIB_ANSWER_BPF_H
#define HOLDFAST_BPF_LIB_ANSWER_BPF_H

static __attribute__((always_inline)) inline int hf_answer(int refused) {
  if (!refused) return 0;
  asm volatile("");
  return -1; /* -EPERM: callers in the kernel expect no other error */
}

#endif /* HOLDFAST_BPF_LIB_ANSWER_BPF_H */
