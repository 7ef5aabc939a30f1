/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Only process 1, the daemon itself and the kernel may end, stop or starve the daemon's tasks. */
#ifndef HOLDFAST_BPF_GUARD_GUARD_TASKS_BPF_H
#define HOLDFAST_BPF_GUARD_GUARD_TASKS_BPF_H

#include "bpf/guard/guard_maps.bpf.h"

static int is_protected(__u64 task) { return is_marked(task); }
static int is_kept_off(void) { return !is_init() && !is_daemon(); }
static int protected_below(__u64 cgroup);

#define REFUSE_TOUCH(what, detail) REFUSE(what, detail)
#include "bpf/guard/protected_tasks.bpf.h"

struct marked_below {
  __u64 cgroup;
  __u64 found;
};

static long look_at_marked(void *map, __u64 *task, void *mark, struct marked_below *look) {
  if (task_is_below(*task, look->cgroup)) look->found = 1;
  return look->found != 0;
}

static int protected_below(__u64 cgroup) {
  struct marked_below look = {.cgroup = cgroup};
  bpf_for_each_map_elem(&guard_marked, look_at_marked, &look, 0);
  return look.found != 0;
}

#endif /* HOLDFAST_BPF_GUARD_GUARD_TASKS_BPF_H */
