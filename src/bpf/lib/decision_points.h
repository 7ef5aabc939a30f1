/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which functions of a stock kernel stand in for the hooks it does not have: the one list that the
 * programs of the lsm backend, the bridge for other people's programs, and the probing of both are
 * made from.
 *
 *   namespace_install   the eight *ns_install(nsset, ns) see the target; capable() enforces, which
 *                       each of them asks before it changes anything
 *   namespace_alloc     __ns_common_init(ns, type, ops, inum), or else one function for each type
 *   namespace_free      __ns_common_free(ns), or else proc_free_inum(inum)
 *   cgroup_attach       cgroup_attach_permissions(src, dst, sb, threadgroup, cgroup_ns) sees the
 *                       move; inode_permission() enforces, which it asks once for the common
 *                       ancestor's cgroup.procs. The moved task is what cgroup_procs_write_start()
 *                       returned in the same call, or the child that task_alloc was given
 */
#ifndef HOLDFAST_BPF_LIB_DECISION_POINTS_H
#define HOLDFAST_BPF_LIB_DECISION_POINTS_H

/*
 * POINT(proc, TYPE, install, questions, how, make, kind) for each type of namespace:
 *   proc       its name under /proc/PID/ns
 *   TYPE       as in HF_NS_TYPE and, but for mount namespaces, CLONE_NEWTYPE
 *   install    the function that setns() calls to enter one
 *   questions  how often that asks capable() about CAP_SYS_ADMIN or CAP_SYS_CHROOT
 *   make       the function that makes one, where the kernel has none for all types
 *   how        what `make` is like: COPY(flags, user_ns, old) and COPY_MNT(flags, old, user_ns, fs)
 *              return the old one unless `flags` asks for a new one; CREATE_USER(cred) leaves the
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

/* The inode number of mount namespaces that open_tree makes and nobody enters (7.x). */
#define HF_ANONYMOUS_MOUNTS_INUM 0xEFFFFFF7u

#define HF_MOVE_NAMED "cgroup_procs_write_start"
#define HF_MOVE_NAMED_END "cgroup_procs_write_finish"
#define HF_MOVE_ASKED "cgroup_attach_permissions"

#define HF_CLONE_INTO_CGROUP 0x200000000ull /* linux/sched.h */
#define HF_CGROUP2_MAGIC 0x63677270         /* linux/magic.h */
#define HF_MAY_WRITE 2                      /* alone: asked by cgroup_may_write(), not by an open() */
#define HF_MAX_ERRNO 4095                   /* an address above -4095 is an error */

/*
 * The kernel skips a tracing program when another task on the same processor was preempted inside
 * it. With four copies of each, one is always free as long as no more than four tasks are.
 */
#define HF_COPIES 4

#endif /* HOLDFAST_BPF_LIB_DECISION_POINTS_H */
