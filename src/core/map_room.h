/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The size of maps that are keyed by task.
 *
 * A map with an entry for each possible task cannot overflow, however many tasks a user makes. So before these maps are
 * made, user space sets their size to the kernel's limit of tasks (kernel.threads-max).
 */
#ifndef HOLDFAST_CORE_MAP_ROOM_H
#define HOLDFAST_CORE_MAP_ROOM_H

#include <linux/types.h>

#include "core/inline.h"

#define HF_TASK_ROOM_LEAST 4096u
#define HF_TASK_ROOM_MOST 4194304u /* PID_MAX_LIMIT of 64-bit kernels */

/* The number of entries for a kernel with this limit of tasks. */
HF_INLINE __u32 hf_task_room(__u64 tasks) {
  if (tasks < HF_TASK_ROOM_LEAST) return HF_TASK_ROOM_LEAST;
  return tasks > HF_TASK_ROOM_MOST ? HF_TASK_ROOM_MOST : (__u32)tasks;
}

#endif /* HOLDFAST_CORE_MAP_ROOM_H */
