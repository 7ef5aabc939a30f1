/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The members of sessions, by the addresses of their tasks: written by bpf/machine, and read by the guard as well. */
#ifndef HOLDFAST_BPF_LIB_SESSION_TASKS_BPF_H
#define HOLDFAST_BPF_LIB_SESSION_TASKS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "core/layers.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_SESSION_TASKS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct hf_layers);
} session_tasks SEC(".maps");

#endif /* HOLDFAST_BPF_LIB_SESSION_TASKS_BPF_H */
