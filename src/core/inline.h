/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the functions of core are compiled. */
#ifndef HOLDFAST_CORE_INLINE_H
#define HOLDFAST_CORE_INLINE_H

#define HF_INLINE static inline __attribute__((always_inline))

/*
 * A step that a decision takes several times. In BPF it is a separate function. If it were inlined, each use
 * would multiply the paths that the verifier follows, and it gives up at a million instructions. The paths of
 * a called function join at its return.
 */
#ifdef __bpf__
#define HF_STEP static __attribute__((noinline))
#else
#define HF_STEP HF_INLINE
#endif

/*
 * Hides the origin of a value from the compiler, so that a bounds check and the use as an index are on one
 * register. If the compiler reloaded the value after the check, the BPF verifier would not know its bound.
 */
#define HF_OPAQUE(value) __asm__ volatile("" : "+r"(value))

#endif /* HOLDFAST_CORE_INLINE_H */
