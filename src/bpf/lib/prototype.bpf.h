/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that state the arguments that they read. Include this header instead of libbpf's for tracing.
 *
 * An LSM or tracing program reads the arguments of a kernel function by position. The verifier does not object when a
 * kernel has another argument at that position. So each program has the prototype of the function in its own type
 * information, and user space compares it with the prototype in the running kernel before it loads the program
 * (kernel/bpf/prototype.h). No program is loaded that reads something else than it states.
 *
 * BPF_PROG(name, arguments...) is used like libbpf's macro of that name. The arguments must be all arguments of the
 * function, or none. A pointer has to name the kernel's struct; a suffix ___x does not count. An integer has to have the
 * kernel's size. A bool that is read is a __u8: only the lower 8 bits of its register count. Instead of a type:
 *
 *   struct hf_unread *   a pointer to anything, which the program does not read
 *   hf_maybe_bool        a bool at the end that older kernels do not have, which the program does not read
 */
#ifndef HOLDFAST_BPF_LIB_PROTOTYPE_BPF_H
#define HOLDFAST_BPF_LIB_PROTOTYPE_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct hf_unread;
typedef _Bool hf_maybe_bool;

/*
 * The prototype is the type of the program's own parameter. The kernel accepts any pointer there. The parameter's name
 * says whether the last argument is the result.
 */
#define HF_STATED(arguments, args...) int (**arguments)(unsigned long long *, ##args)

#define HF_PROG_BODY(name, args...) static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx, ##args)

/* The program `entry`, which passes its arguments to the body of `name`, but for the first ones. */
#define HF_PROG_ENTRY(entry, name, parameter, stated, passed_over, args...) \
  typeof(entry(0)) entry(stated) { \
    unsigned long long *ctx = (unsigned long long *)(parameter) + (passed_over); \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"") /* of ctx[i] */ \
        return ____##name(___bpf_ctx_cast(args)); \
    _Pragma("GCC diagnostic pop") \
  }

#undef BPF_PROG
#define BPF_PROG(name, args...) \
  name(HF_STATED(arguments, ##args)); \
  HF_PROG_BODY(name, ##args); \
  HF_PROG_ENTRY(name, name, arguments, HF_STATED(arguments, ##args), 0, ##args) \
  HF_PROG_BODY(name, ##args)

/* The last argument is the result: of the function (fexit), or of the program that ran before (lsm). */
#define HF_PROG_RESULT(name, args...) \
  name(HF_STATED(arguments_and_result, ##args)); \
  HF_PROG_BODY(name, ##args); \
  HF_PROG_ENTRY(name, name, arguments_and_result, HF_STATED(arguments_and_result, ##args), 0, ##args) \
  HF_PROG_BODY(name, ##args)

/*
 * Two programs with one body, for kernels that pass `args` and for kernels that pass them after `front`. User space
 * loads the one that fits, NAME or NAME__after, and uses it under NAME (kernel/bpf/bpf_object.h). Write this without
 * SEC() and a type in front.
 */
#define HF_PROG_AFTER(front, section, name, args...) \
  HF_PROG_TWICE(section, name, arguments, HF_STATED(arguments, ##args), HF_STATED(arguments, front, ##args), ##args)
#define HF_PROG_RESULT_AFTER(front, section, name, args...) \
  HF_PROG_TWICE(section, name, arguments_and_result, HF_STATED(arguments_and_result, ##args), \
                HF_STATED(arguments_and_result, front, ##args), ##args)
#define HF_PROG_TWICE(section, name, parameter, stated, stated_after, args...) \
  SEC(section) int name(stated); \
  SEC(section) int name##__after(stated_after); \
  HF_PROG_BODY(name, ##args); \
  HF_PROG_ENTRY(name, name, parameter, stated, 0, ##args) \
  HF_PROG_ENTRY(name##__after, name, parameter, stated_after, 1, ##args) \
  HF_PROG_BODY(name, ##args)

/* These hooks have the idmap of the mount as first argument in newer kernels. */
#define HF_PROG_IDMAP(section, name, args...) HF_PROG_AFTER(struct mnt_idmap *, section, name, ##args)

/* Structs that some programs only name. */
struct bpf_map;
struct bpf_prog;
struct bpf_token;
struct cgroup_namespace;
struct cred;
struct dentry;
struct file;
struct file_kattr;
struct fown_struct;
struct fs_context;
struct fs_struct;
struct iattr;
struct inode;
struct kernel_siginfo;
struct linux_binprm;
struct mnt_idmap;
struct msghdr;
struct path;
struct posix_acl;
struct proc_ns_operations;
struct rlimit;
struct sock;
struct sockaddr;
struct socket;
struct super_block;
struct task_struct;
struct user_namespace;
struct vfsmount;

#endif /* HOLDFAST_BPF_LIB_PROTOTYPE_BPF_H */
