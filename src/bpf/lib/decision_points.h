/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The functions of a stock kernel that replace LSM hooks which it does not have. The programs of the
 * lsm backend, the bridge for programs of other projects, and the probes of both use this list.
 *
 *   namespace_install   the eight functions *ns_install(nsset, ns) have the target. Each calls
 *                       capable() before it changes anything, and that hook enforces
 *   namespace_alloc     __ns_common_init(ns, type, ops, inum), or else one function for each type
 *   namespace_free      __ns_common_free(ns), or else proc_free_inum(inum)
 *   cgroup_attach       cgroup_attach_permissions(src, dst, sb, threadgroup, cgroup_ns) has the
 *                       move. It calls inode_permission() once, for cgroup.procs of the common
 *                       ancestor, and that hook enforces. The moved task is the one that
 *                       cgroup_procs_write_start() returned in the same call, or the child of
 *                       task_alloc
 */
#ifndef HOLDFAST_BPF_LIB_DECISION_POINTS_H
#define HOLDFAST_BPF_LIB_DECISION_POINTS_H

/*
 * POINT(proc, TYPE, install, questions, how, make, kind) for each type of namespace:
 *   proc       its name under /proc/PID/ns
 *   TYPE       as in HF_NS_TYPE and, but for mount namespaces, CLONE_NEWTYPE
 *   install    the function that setns() calls to enter one
 *   questions  the number of its capable() calls with CAP_SYS_ADMIN or CAP_SYS_CHROOT
 *   make       the function that makes one, if the kernel has no function for all types
 *   how        the form of `make`: COPY(flags, user_ns, old) and COPY_MNT(flags, old, user_ns, fs)
 *              return the old one unless `flags` requests a new one; CREATE_USER(cred) stores the
 *              new one in `cred`
 *   kind       the struct that has it in a member `ns`
 */
#define HF_NAMESPACE_POINTS(POINT) \
  POINT(mnt, MNT, mntns_install, 3, COPY_MNT, copy_mnt_ns, mnt_namespace) \
  POINT(uts, UTS, utsns_install, 2, COPY, copy_utsname, uts_namespace) \
  POINT(ipc, IPC, ipcns_install, 2, COPY, copy_ipcs, ipc_namespace) \
  POINT(user, USER, userns_install, 1, CREATE_USER, create_user_ns, user_namespace) \
  POINT(pid, PID, pidns_install, 2, COPY, copy_pid_ns, pid_namespace) \
  POINT(net, NET, netns_install, 2, COPY, copy_net_ns, net) \
  POINT(cgroup, CGROUP, cgroupns_install, 2, COPY, copy_cgroup_ns, cgroup_namespace) \
  POINT(time, TIME, timens_install, 2, COPY, copy_time_ns, time_namespace)

#define HF_MAKES_EVERY_NS "__ns_common_init" /* 6.18 and later */
#define HF_FREES_EVERY_NS "__ns_common_free"
#define HF_FREES_EVERY_INUM "proc_free_inum" /* before */

/* The inode number of mount namespaces that open_tree makes and that no task enters (7.x). */
#define HF_ANONYMOUS_MOUNTS_INUM 0xEFFFFFF7u

#define HF_MOVE_NAMED "cgroup_procs_write_start"
#define HF_MOVE_NAMED_END "cgroup_procs_write_finish"
#define HF_MOVE_ASKED "cgroup_attach_permissions"

#define HF_CLONE_INTO_CGROUP 0x200000000ull /* linux/sched.h */
#define HF_CGROUP2_MAGIC 0x63677270         /* linux/magic.h */
#define HF_MAY_WRITE 2                      /* without other bits: cgroup_may_write() asks, not an open() */
#define HF_MAX_ERRNO 4095                   /* an address above -4095 is an error */

/*
 * The kernel skips a tracing program if another task on the same processor was preempted inside it.
 * With four copies of each program, one of them runs unless four such tasks are preempted.
 */
#define HF_COPIES 4

#endif /* HOLDFAST_BPF_LIB_DECISION_POINTS_H */
