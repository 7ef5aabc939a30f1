/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that do nothing, on the hooks of the lsm backend: what the kernel charges for being
 * asked at all, before any policy. Four copies of each capture and each record, as there; of the
 * records, the loader leaves out those of functions that the kernel does not have.
 */
#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

#define EMPTY(section, name) \
  SEC(section)               \
  int name(void* ctx) { return 0; }

EMPTY("lsm/capable", capable)
EMPTY("lsm/userns_create", userns_create)
EMPTY("lsm/task_alloc", task_alloc)
EMPTY("lsm/task_free", task_free)
EMPTY("lsm/ptrace_access_check", ptrace_access_check)
EMPTY("lsm/ptrace_traceme", ptrace_traceme)
EMPTY("lsm/task_kill", task_kill)
EMPTY("lsm/task_setrlimit", task_setrlimit)
EMPTY("lsm/bpf", bpf)

#define FOUR(attach, function)              \
  EMPTY(attach "/" #function, function##_1) \
  EMPTY(attach "/" #function, function##_2) \
  EMPTY(attach "/" #function, function##_3) \
  EMPTY(attach "/" #function, function##_4)

FOUR("fentry", mntns_install)
FOUR("fentry", utsns_install)
FOUR("fentry", ipcns_install)
FOUR("fentry", userns_install)
FOUR("fentry", pidns_install)
FOUR("fentry", netns_install)
FOUR("fentry", cgroupns_install)
FOUR("fentry", timens_install)

EMPTY("fexit/mntns_install", mntns_install_end)
EMPTY("fexit/utsns_install", utsns_install_end)
EMPTY("fexit/ipcns_install", ipcns_install_end)
EMPTY("fexit/userns_install", userns_install_end)
EMPTY("fexit/pidns_install", pidns_install_end)
EMPTY("fexit/netns_install", netns_install_end)
EMPTY("fexit/cgroupns_install", cgroupns_install_end)
EMPTY("fexit/timens_install", timens_install_end)

/* From 6.18 on. */
FOUR("fexit", __ns_common_init)
FOUR("fentry", __ns_common_free)

/* Before. */
FOUR("fexit", copy_utsname)
FOUR("fexit", copy_ipcs)
FOUR("fexit", copy_pid_ns)
FOUR("fexit", copy_net_ns)
FOUR("fexit", copy_cgroup_ns)
FOUR("fexit", copy_time_ns)
FOUR("fexit", copy_mnt_ns)
FOUR("fexit", create_user_ns)
FOUR("fentry", proc_free_inum)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
