/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts that all programs of the guard use: its state, the daemon's tasks, and refusals. */
#ifndef HOLDFAST_BPF_GUARD_GUARD_MAPS_BPF_H
#define HOLDFAST_BPF_GUARD_GUARD_MAPS_BPF_H

#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "bpf/guard/guard_types.bpf.h"
#include "bpf/lib/names.bpf.h"
#include "bpf/guard/refusal.bpf.h"
#include "bpf/lib/prototype.bpf.h"

#define INIT_TGID 1

#define DAEMON_NAME "holdfastd"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct hf_guard_state);
} guard_state SEC(".maps");

/* The daemon's tasks, by the address of the task: HF_DAEMON or HF_SERVING. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, __u8);
} guard_marked SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} guard_events SEC(".maps");

static struct hf_guard_state *state(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&guard_state, &zero);
}

static int is_sealed(void) {
  struct hf_guard_state *s = state();
  return s && s->sealed;
}

/* HF_DAEMON or HF_SERVING. 0: it is not a task of the daemon. */
static int mark_of(__u64 task) {
  struct task_struct___mg *t = (void *)task;
  __u64 leader = (__u64)BPF_CORE_READ(t, group_leader);
  __u8 *mark = bpf_map_lookup_elem(&guard_marked, &leader);
  return mark ? *mark : 0;
}

static int is_marked(__u64 task) { return mark_of(task) != 0; }

static int is_daemon(void) { return is_marked(bpf_get_current_task()); }

static __noinline int refuse(__u32 what, __u32 detail) {
  struct hf_guard_state *s = state();
  if (s && what < HF_GUARD_KINDS) __sync_fetch_and_add(&s->refused[what], 1);
  if (tell_refusal(&guard_events, 0, what, detail, 0, 0) && s) __sync_fetch_and_add(&s->lost, 1);
  return 0;
}

/* A separate branch, because the verifier has to see the constant. */
#define REFUSE(what, detail) \
  do { \
    refuse(what, detail); \
    asm volatile(""); \
    return -1; \
  } while (0)

/*
 * Is this process 1? It may end the daemon and unmount file systems, as at a shutdown. While the guard is attached no
 * task can trace process 1. If it was traced before, it does not count.
 */
static int is_init(void) {
  struct task_struct___mg *task = (void *)bpf_get_current_task();
  return BPF_CORE_READ(task, tgid) == INIT_TGID && !BPF_CORE_READ(task, ptrace);
}

/* The executable of the daemon, which runs this program. It comes from the kernel's own record, not from a path. */
static struct file___mg *executable(void) {
  struct task_struct___mg *task = (void *)bpf_get_current_task();
  return BPF_CORE_READ(task, mm, exe_file);
}

/* The file of the descriptor claim_fd of the daemon, which runs this program. */
static struct file___mg *claimed_file(const struct hf_guard_state *s) {
  struct task_struct___mg *task = (void *)bpf_get_current_task();
  struct file___mg **fds = BPF_CORE_READ(task, files, fdt, fd);
  struct file___mg *file = 0;
  if (bpf_probe_read_kernel(&file, sizeof(file), fds + s->claim_fd)) return 0;
  return file;
}

#endif /* HOLDFAST_BPF_GUARD_GUARD_MAPS_BPF_H */
