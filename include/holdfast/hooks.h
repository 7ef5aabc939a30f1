/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libholdfast-hooks: BPF LSM programs for hooks that the kernel may not have.
 *
 * Call holdfast_hooks_enable() once, before opening an object with libbpf or a skeleton. From then
 * on programs in the sections
 *
 *     lsm.s/namespace_alloc    lsm/namespace_free    lsm.s/namespace_install    lsm.s/cgroup_attach
 *
 * (with or without .s) load, attach and enforce on a kernel that has no such hooks; where the
 * kernel has a hook, nothing changes. A program that starts with the shared library in LD_PRELOAD
 * needs no call.
 *
 * Thread rule: as libbpf's own global functions, one thread at a time.
 */
#ifndef HOLDFAST_HOOKS_H
#define HOLDFAST_HOOKS_H

#include <stddef.h>

#define HOLDFAST_HOOKS_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum holdfast_hook_state {
  HOLDFAST_HOOK_UNAVAILABLE = 0, /* programs fail to load; `how` says why */
  HOLDFAST_HOOK_NATIVE = 1,      /* the kernel has it */
  HOLDFAST_HOOK_BRIDGED = 2,     /* `how` says by what */
};

struct holdfast_hook_status {
  const char* hook; /* "namespace_install" */
  enum holdfast_hook_state state;
  const char* how;
};

#define HOLDFAST_HOOKS 4

/*
 * Registers with libbpf. Calling it again does nothing. 0, or a negative errno: -ENOENT when the
 * kernel has no type information (/sys/kernel/btf/vmlinux); -ENOTSUP when libbpf is found before
 * this library, so that bpf_program__attach_lsm() would enforce nothing. holdfast_hooks_error()
 * says it in words.
 */
HOLDFAST_HOOKS_API int holdfast_hooks_enable(void);

/*
 * Fills in up to `count` hooks and returns how many there are, or a negative errno. The strings
 * stay valid until the process ends. Needs no privilege and no holdfast_hooks_enable().
 */
HOLDFAST_HOOKS_API int holdfast_hooks_status(struct holdfast_hook_status* out, size_t count);

/*
 * Bridged programs that are loaded from now on hold only tasks in the subtree of this cgroup (a
 * directory of cgroup2; borrowed until they are loaded). -1: all tasks, the default.
 */
HOLDFAST_HOOKS_API void holdfast_hooks_limit_to_cgroup(int cgroup_fd);

/*
 * A namespace_alloc program that returns something other than 0 cannot keep the namespace from
 * being made where the hook is bridged: it runs right after. Programs loaded from now on
 */
enum holdfast_alloc_refusal {
  HOLDFAST_ALLOC_REJECT = 0, /* fail to load unless they always return 0 (the default) */
  HOLDFAST_ALLOC_KILL = 1,   /* have the task killed before it returns to user space */
  HOLDFAST_ALLOC_IGNORE = 2, /* are notified, and what they return is ignored */
};
HOLDFAST_HOOKS_API void holdfast_hooks_alloc_refusal(enum holdfast_alloc_refusal refusal);

/*
 * Keeps what a link of a bridged program stands for attached after the process ends: pins it as
 * files in `directory`, which must exist on a BPF filesystem. Removing the files detaches; in the
 * order of their names, no operation is refused in between. 0, or a negative errno: -EINVAL when
 * the link is of another kind. bpf_link__pin() makes the directory itself, and takes both kinds.
 */
struct bpf_link;
HOLDFAST_HOOKS_API int holdfast_hooks_pin(const struct bpf_link* link, const char* directory);

/*
 * Why enabling failed or the last program was refused, "" when neither. The same text goes to
 * libbpf's print callback as a warning. Valid until the next load.
 */
HOLDFAST_HOOKS_API const char* holdfast_hooks_error(void);

#ifdef __cplusplus
}
#endif

#endif /* HOLDFAST_HOOKS_H */
