/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that do nothing, where holdfastd's are (src/bpf/machine/machine.bpf.c): what the kernel charges
 * for asking.
 */
#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

#define EMPTY(section, name) \
  SEC(section)               \
  int name(void* ctx) { return 0; }

EMPTY("lsm/inode_permission", inode_permission)
EMPTY("lsm/inode_setxattr", inode_setxattr)
EMPTY("lsm/inode_removexattr", inode_removexattr)
EMPTY("lsm/capable", capable)
EMPTY("lsm/namespace_install", namespace_install)
EMPTY("lsm/namespace_init", namespace_init)
EMPTY("lsm/namespace_free", namespace_free)
EMPTY("lsm/userns_create", userns_create)
EMPTY("lsm/task_alloc", task_alloc_1)
EMPTY("lsm/task_alloc", task_alloc_2)
EMPTY("lsm/task_free", task_free)
EMPTY("lsm/ptrace_access_check", ptrace_access_check)
EMPTY("lsm/ptrace_traceme", ptrace_traceme)
EMPTY("fexit/cgroup_procs_write_start", write_start)
EMPTY("fentry/cgroup_attach_permissions", attach_begins)
EMPTY("fexit/cgroup_attach_permissions", attach_ends)
EMPTY("tp_btf/cgroup_rmdir", rmdir)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
