/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HOLDFAST_BPF_LIB_NUMBER_BPF_H
#define HOLDFAST_BPF_LIB_NUMBER_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

/* A typed pointer as the plain number that keys and arguments are: the copy through memory makes it one. */
static __always_inline __u64 hf_number(const void *pointer) {
  __u64 number = 0;
  bpf_probe_read_kernel(&number, sizeof(number), &pointer);
  return number;
}

#endif /* HOLDFAST_BPF_LIB_NUMBER_BPF_H */
