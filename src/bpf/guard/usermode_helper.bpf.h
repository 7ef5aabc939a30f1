/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Refuses programs that the kernel starts for a confined task. The kernel starts such programs (usermode helpers) as
 * root, outside of every sandbox and cgroup, because their parent is a kernel thread. A confined task may neither
 * choose such a program nor make the kernel start one. The hooks are:
 *
 *   file_open               opens for writing of settings that name a program or make one run. A setting is recognised
 *                           by its kernel object, not by its path. Settings are written through open files only
 *   fs_context_parse_param  such a setting as an option of a mount, by mount(2) or fsconfig(2)
 *   key_alloc               request_key(2): the authorisation key for /sbin/request-key
 *   kernel_module_request   modprobe
 *   call_usermodehelper_*   all other programs. The request is recorded in the task that makes it (fentry, four copies
 *                           as in bpf/namespaces/captures.bpf.h). It is refused when a worker of the kernel is about to make
 *                           the process (task_alloc, an LSM hook that the kernel never skips)
 *
 * If a confined task crashes, the program of core_pattern is allowed. The administrator chose it to handle crashes, and
 * the task cannot change it.
 *
 * Runs and the machine share this file. The including object defines which tasks are confined and how to report, by
 * helper_rule() and refusal_tell().
 */
#ifndef HOLDFAST_BPF_GUARD_USERMODE_HELPER_BPF_H
#define HOLDFAST_BPF_GUARD_USERMODE_HELPER_BPF_H

#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "bpf/lib/answer.bpf.h"
#include "bpf/lib/names.bpf.h"
#include "bpf/lib/prototype.bpf.h"

#define HF_HELPERS_FREE 0
#define HF_HELPERS_AUDITED 1
#define HF_HELPERS_REFUSED 2

/* HF_HELPERS_* for the current task. */
static int helper_rule(void);
/* Counts and reports a refusal; `what` is HF_GUARD_*, and `detail` of HF_GUARD_HELPER is HF_HELPER_*. */
static int refusal_tell(__u32 what, __u32 detail, __u32 audited);

#define HF_FMODE_WRITE 2
#define HF_PF_WQ_WORKER 0x20
#define HF_HELPERS_ASKED 4096 /* the maximum number of requests whose process is not made yet */

/* s_magic */
#define HF_CGROUP1_MAGIC 0x27e0eb
#define HF_SYSFS_MAGIC 0x62656572
#define HF_PROC_MAGIC 0x9fa0
#define HF_BINFMT_MAGIC 0x42494e4d

#define HF_BINFMT_REGISTER 3 /* its inode number, from bm_fill_super() */

/* The suffix is as in cgroup_types.bpf.h. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node___uh {
  const char *name;
  struct kernfs_node___uh *parent;   /* to 6.14 */
  struct kernfs_node___uh *__parent; /* since */
};
struct super_block___uh {
  unsigned long s_magic;
};
struct inode___uh {
  unsigned long i_ino;
  struct super_block___uh *i_sb;
  void *i_private;
};
struct file___uh {
  unsigned int f_mode;
  struct inode___uh *f_inode;
};
struct ctl_table___uh {
  const char *procname;
};
struct proc_inode___uh {
  const struct ctl_table___uh *sysctl_entry;
  struct inode___uh vfs_inode;
};
struct fs_parameter___uh {
  const char *key;
};
struct key_type___uh {
  const char *name;
};
struct key___uh {
  struct key_type___uh *type;
};
struct work_struct___uh {
  void *func;
};
struct subprocess_info___uh {
  struct work_struct___uh work;
};
struct worker___uh {
  struct work_struct___uh *current_work;
};
struct kthread___uh {
  void *data;
};
struct signal_struct___uh {
  void *core_state;
};
struct task_struct___uh {
  unsigned int flags;
  void *worker_private;
  struct signal_struct___uh *signal;
};
#pragma clang attribute pop

/* Requests that have to be refused, by the address of their struct subprocess_info. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, HF_HELPERS_ASKED);
  __type(key, __u64);
  __type(value, __u8);
} hf_helpers_asked SEC(".maps");

/* Returns 1 to refuse. Global functions, here and below, because the verifier checks those only once. */
__noinline int refuses_helper(__u32 helper) {
  int rule = helper_rule();
  if (rule == HF_HELPERS_FREE) return 0;
  refusal_tell(HF_GUARD_HELPER, helper, rule == HF_HELPERS_AUDITED);
  return rule == HF_HELPERS_REFUSED;
}

/* ---- settings ------------------------------------------------------------------------------------------------- */

__noinline int helper_of_sysctl(struct hf_name *name) {
  if (!name) return 0;
  if (HF_SAME(name, "core_pattern")) return HF_HELPER_CORE_PATTERN;
  if (HF_SAME(name, "modprobe")) return HF_HELPER_MODPROBE;
  if (HF_SAME(name, "hotplug")) return HF_HELPER_UEVENT;
  if (HF_SAME(name, "poweroff_cmd")) return HF_HELPER_POWEROFF;
  if (HF_SAME(name, "bset") || HF_SAME(name, "inheritable")) return HF_HELPER_CAPABILITIES;
  if (HF_SAME(name, "hb_ctl_path")) return HF_HELPER_OCFS2;
  return 0;
}

/* Files of any hierarchy of version 1. Version 2 has no such files. */
__noinline int helper_of_cgroup_file(struct hf_name *name) {
  if (!name) return 0;
  if (HF_SAME(name, "release_agent")) return HF_HELPER_RELEASE_AGENT;
  if (HF_SAME(name, "notify_on_release")) return HF_HELPER_NOTIFY_ON_RELEASE;
  return 0;
}

__noinline int helper_of_parameter(struct hf_name *module, struct hf_name *name) {
  if (!module || !name) return 0;
  if (HF_SAME(module, "firmware_class")) return HF_SAME(name, "path") ? HF_HELPER_FIRMWARE : 0;
  if (HF_SAME(module, "nfsv4")) return HF_SAME(name, "cache_getent") ? HF_HELPER_NFS : 0;
  if (HF_SAME(module, "nfsd")) return HF_SAME(name, "cltrack_prog") ? HF_HELPER_NFSD : 0;
  if (HF_SAME(module, "drbd")) return HF_SAME(name, "usermode_helper") ? HF_HELPER_DRBD : 0;
  return 0;
}

__noinline int helper_of_attribute(struct hf_name *device, struct hf_name *name) {
  if (!device || !name) return 0;
  if (HF_SAME(name, "uevent_helper")) return HF_HELPER_UEVENT;
  if (HF_SAME(name, "v86d")) return HF_HELPER_UVESAFB;
  if (!HF_SAME(name, "trigger")) return 0;
  /* LEDs and sensors have files named trigger, too. */
  return HF_BEGINS(device, "machinecheck") ? HF_HELPER_MACHINE_CHECK : 0;
}

static __always_inline struct kernfs_node___uh *node_parent(struct kernfs_node___uh *node) {
  if (bpf_core_field_exists(node->__parent)) return BPF_CORE_READ(node, __parent);
  return BPF_CORE_READ(node, parent);
}

static __noinline int helper_of_sysfs_file(struct kernfs_node___uh *node) {
  struct kernfs_node___uh *above = node_parent(node);
  struct hf_name name, directory;
  hf_read_name(&name, BPF_CORE_READ(node, name));
  hf_read_name(&directory, BPF_CORE_READ(above, name));
  if (!HF_SAME(&directory, "parameters")) return helper_of_attribute(&directory, &name);
  hf_read_name(&directory, BPF_CORE_READ(node_parent(above), name));
  return helper_of_parameter(&directory, &name);
}

/* HF_HELPER_*; 0: the file is not such a setting. */
static __noinline int helper_of_inode(struct inode___uh *inode) {
  unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
  struct kernfs_node___uh *node = BPF_CORE_READ(inode, i_private); /* of sysfs and of cgroups */
  struct proc_inode___uh *none = 0;
  struct hf_name name;
  if (magic == HF_PROC_MAGIC) {
    struct proc_inode___uh *proc = (void *)inode - (unsigned long)__builtin_preserve_access_index(&none->vfs_inode);
    const struct ctl_table___uh *entry = BPF_CORE_READ(proc, sysctl_entry);
    if (!entry) return 0;
    hf_read_name(&name, BPF_CORE_READ(entry, procname));
    return helper_of_sysctl(&name);
  }
  if (magic == HF_SYSFS_MAGIC) return helper_of_sysfs_file(node);
  if (magic == HF_CGROUP1_MAGIC) {
    hf_read_name(&name, BPF_CORE_READ(node, name));
    return helper_of_cgroup_file(&name);
  }
  return magic == HF_BINFMT_MAGIC && BPF_CORE_READ(inode, i_ino) == HF_BINFMT_REGISTER ? HF_HELPER_BINFMT : 0;
}

/* The kernel calls this for every open that gives a descriptor to write through (do_dentry_open()). */
SEC("lsm/file_open")
int BPF_PROG(helper_write, struct file___uh *file) {
  struct inode___uh *inode = 0;
  int helper;
  if (!(file->f_mode & HF_FMODE_WRITE)) return 0;
  bpf_core_read(&inode, sizeof(inode), &file->f_inode); /* a number now */
  helper = helper_of_inode(inode);
  return hf_answer(helper && refuses_helper(helper));
}

/*
 * Returning 0 means ENOPARAM, the default of this hook (vfs_parse_fs_param()). A mount of "cpuset" sets a release agent
 * without an option. That agent cannot run as long as notify_on_release cannot be written.
 */
SEC("lsm/fs_context_parse_param")
int BPF_PROG(helper_option, struct fs_context *context, struct fs_parameter___uh *parameter) {
  struct hf_name name;
  hf_read_name(&name, BPF_CORE_READ(parameter, key));
  if (!HF_SAME(&name, "release_agent")) return 0;
  return hf_answer(refuses_helper(HF_HELPER_RELEASE_AGENT));
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

/* request_key_auth_new() makes a key of this type before any program for a key is started. */
SEC("lsm/key_alloc")
int BPF_PROG(helper_key, struct key___uh *key, const struct cred *cred, unsigned long flags) {
  struct hf_name name;
  hf_read_name(&name, BPF_CORE_READ(key, type, name));
  if (!HF_SAME(&name, ".request_key_auth")) return 0;
  return hf_answer(refuses_helper(HF_HELPER_REQUEST_KEY));
}

SEC("lsm/kernel_module_request")
int BPF_PROG(helper_module, const char *name) { return hf_answer(refuses_helper(HF_HELPER_MODULE)); }

__noinline int helper_asked(__u64 info) {
  struct task_struct___uh *task = (void *)bpf_get_current_task();
  __u8 one = 1;
  int rule = HF_HELPERS_FREE;
  if (!BPF_CORE_READ(task, signal, core_state)) rule = helper_rule();
  if (rule != HF_HELPERS_REFUSED) {
    /* The address may have been that of an earlier request whose process was never made. */
    bpf_map_delete_elem(&hf_helpers_asked, &info);
    return 0;
  }
  if (!bpf_map_update_elem(&hf_helpers_asked, &info, &one, BPF_NOEXIST))
    refusal_tell(HF_GUARD_HELPER, HF_HELPER_OTHER, 0);
  return 0;
}

#define HF_HELPER_ASKED(copy) \
  SEC("fentry/call_usermodehelper_exec") \
  int BPF_PROG(helper_asked_##copy, struct subprocess_info___uh *info, int wait) { \
    __u64 address = 0; \
    bpf_probe_read_kernel(&address, sizeof(address), &info); /* a number now */ \
    return helper_asked(address); \
  }
HF_HELPER_ASKED(1)
HF_HELPER_ASKED(2)
HF_HELPER_ASKED(3)
HF_HELPER_ASKED(4)

/*
 * call_usermodehelper_exec_work() makes the process while the worker's current work is that of the request. The
 * requesting task gets its error.
 */
SEC("lsm/task_alloc")
int BPF_PROG(helper_fork, struct task_struct *child, __u64 clone_flags) {
  struct task_struct___uh *task = (void *)bpf_get_current_task_btf();
  struct subprocess_info___uh *none = 0;
  struct kthread___uh *kthread;
  struct worker___uh *worker;
  __u64 info;
  if (!(task->flags & HF_PF_WQ_WORKER)) return 0;
  kthread = BPF_CORE_READ(task, worker_private);
  worker = BPF_CORE_READ(kthread, data);
  info = (__u64)BPF_CORE_READ(worker, current_work) - (__u64)__builtin_preserve_access_index(&none->work);
  return hf_answer(!bpf_map_delete_elem(&hf_helpers_asked, &info));
}

#endif /* HOLDFAST_BPF_GUARD_USERMODE_HELPER_BPF_H */
