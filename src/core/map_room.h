/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many entries the maps have that are keyed by task.
 *
 * An entry for each task that the kernel can make is room that nobody can use up, whoever makes the tasks. So user space
 * gives these maps, before they are made, as many entries as the kernel allows tasks then (kernel.threads-max).
 */
#ifndef HOLDFAST_CORE_MAP_ROOM_H
#define HOLDFAST_CORE_MAP_ROOM_H

#include <linux/types.h>

#include "core/inline.h"

#define HF_TASK_ROOM_LEAST 4096u
#define HF_TASK_ROOM_MOST 4194304u /* PID_MAX_LIMIT: the kernel has no more on 64 bits */

/* Entries for a kernel that makes this many tasks. */
HF_INLINE __u32 hf_task_room(__u64 tasks) {
  if (tasks < HF_TASK_ROOM_LEAST) return HF_TASK_ROOM_LEAST;
  return tasks > HF_TASK_ROOM_MOST ? HF_TASK_ROOM_MOST : (__u32)tasks;
}

#endif /* HOLDFAST_CORE_MAP_ROOM_H */
