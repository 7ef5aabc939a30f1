/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the functions of core are compiled. */
#ifndef HOLDFAST_CORE_INLINE_H
#define HOLDFAST_CORE_INLINE_H

#define HF_INLINE static inline __attribute__((always_inline))

/*
 * A step that a decision takes several times. In BPF it is a function of its own: inlined, each use
 * multiplies the paths that the verifier follows (newer kernels give up at a million instructions),
 * called, the paths meet again at its return.
 */
#ifdef __bpf__
#define HF_STEP static __attribute__((noinline))
#else
#define HF_STEP HF_INLINE
#endif

/*
 * Hides where a value came from, so that what is compared and what is used as an index stay one register:
 * a compiler that reloads the value after the comparison loses the bound that the BPF verifier needs.
 */
#define HF_OPAQUE(value) __asm__ volatile("" : "+r"(value))

#endif /* HOLDFAST_CORE_INLINE_H */
