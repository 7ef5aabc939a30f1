/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libholdfast-hooks: BPF LSM programs for hooks that the kernel may not have.
 *
 * Call holdfast_hooks_enable() once, before opening an object with libbpf or a skeleton. From then
 * on programs in the sections
 *
 *     lsm.s/namespace_alloc    lsm.s/namespace_init    lsm/namespace_free
 *     lsm.s/namespace_install    lsm.s/cgroup_attach
 *
 * (with or without .s) load, attach and enforce on a kernel that has no such hooks. namespace_alloc
 * and namespace_init are two names of one hook, and each works where the kernel has the other. A
 * program for a hook that the kernel has is loaded as a program of that hook. No program is loaded
 * if the kernel passes other arguments than the hook has. A program that is started with the shared library in LD_PRELOAD
 * does not need the call.
 *
 * An object that imports the kernel function bpf_sock_read_xattr(), which Linux 7.3 has, reads the labels of
 * sockets on 7.1 and 7.2, too. holdfast_hooks_label_status() says whether it can.
 *
 * Threads: call these functions, and libbpf, from one thread at a time.
 */
#ifndef HOLDFAST_HOOKS_H
#define HOLDFAST_HOOKS_H

#include <stddef.h>

#define HOLDFAST_HOOKS_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum holdfast_hook_state {
  HOLDFAST_HOOK_UNAVAILABLE = 0, /* programs fail to load; `how` is the reason */
  HOLDFAST_HOOK_NATIVE = 1,      /* the kernel has the hook */
  HOLDFAST_HOOK_BRIDGED = 2,     /* `how` lists the functions and hooks that are used instead */
};

struct holdfast_hook_status {
  const char* hook; /* "namespace_install" */
  enum holdfast_hook_state state;
  const char* how;
};

#define HOLDFAST_HOOKS 5

/*
 * Registers the hooks with libbpf. A second call does nothing. Returns 0, or a negative errno.
 * -ENOENT: the kernel has no type information (/sys/kernel/btf/vmlinux). -ENOTSUP: the linker finds
 * libbpf before this library, so bpf_program__attach_lsm() would enforce nothing. Others: of
 * libbpf_register_prog_handler(). holdfast_hooks_error() returns the reason as text.
 */
HOLDFAST_HOOKS_API int holdfast_hooks_enable(void);

/*
 * Writes the status of at most `count` hooks to `out`. Returns the number of hooks
 * (HOLDFAST_HOOKS), or a negative errno: -ENOENT when the kernel has no type information. The
 * strings stay valid until the process ends. Needs no privilege and no holdfast_hooks_enable().
 */
HOLDFAST_HOOKS_API int holdfast_hooks_status(struct holdfast_hook_status* out, size_t count);

/*
 * Writes to `out` how programs that call bpf_sock_read_xattr() get the labels of sockets here; `hook`
 * is the name of that function. HOLDFAST_HOOK_UNAVAILABLE: an object that imports it loads only if it declares it
 * __weak. Returns 0, or -ENOENT when the kernel has no type information. Otherwise as
 * holdfast_hooks_status().
 */
HOLDFAST_HOOKS_API int holdfast_hooks_label_status(struct holdfast_hook_status* out);

/*
 * Programs of these hooks that are loaded from now on apply only to tasks in the subtree of this
 * cgroup. `cgroup_fd` is a cgroup2 directory, borrowed until the programs are loaded. -1: all
 * tasks, the default. A cgroup_attach program does not load with a limit where the kernel has that
 * hook itself (EOPNOTSUPP).
 */
HOLDFAST_HOOKS_API void holdfast_hooks_limit_to_cgroup(int cgroup_fd);

/*
 * What becomes of a bridged namespace_alloc program that may return something other than 0, for
 * programs loaded from now on. Programs that always return 0 run once, directly after a namespace
 * was made, whatever is chosen.
 *
 * A program that is asked runs before the kernel makes anything. Its ns_common has the type, and is
 * zero otherwise: there is no number yet. The kernel may fail to make the namespace afterwards.
 */
enum holdfast_alloc_refusal {
  HOLDFAST_ALLOC_ASK = 0,          /* it is asked, and its refusal counts (default) */
  HOLDFAST_ALLOC_KILL = 1,         /* it runs afterwards, and a task that it refuses is killed */
  HOLDFAST_ALLOC_IGNORE = 2,       /* it runs afterwards, and its return value is ignored */
  HOLDFAST_ALLOC_ASK_AND_TELL = 3, /* it is asked, and runs again afterwards, with the number */
};
HOLDFAST_HOOKS_API void holdfast_hooks_alloc_refusal(enum holdfast_alloc_refusal refusal);

/*
 * Keeps a bridged program attached after the process ends. Pins the link as several files in
 * `directory`, which must exist on a BPF file system. To detach, remove the files in the order of
 * their names; in this order no operation is refused wrongly during the removal. Returns 0, or a
 * negative errno. -EINVAL: the link is not of a bridged program. Others: of bpf(2). After an error
 * no file is left. bpf_link__pin() works for all links; for a bridged one it creates the directory.
 */
struct bpf_link;
HOLDFAST_HOOKS_API int holdfast_hooks_pin(const struct bpf_link* link, const char* directory);

/*
 * The reason of the last failure: of holdfast_hooks_enable(), or of a load or attach of a bridged
 * program. "": there was none. libbpf's print callback gets the same text as a warning. The pointer
 * is valid until the next failure.
 */
HOLDFAST_HOOKS_API const char* holdfast_hooks_error(void);

#ifdef __cplusplus
}
#endif

#endif /* HOLDFAST_HOOKS_H */
