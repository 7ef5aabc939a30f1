/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the mounts of guarded directories in place, and prevents mounts over guarded directories.
 *
 * This applies to the daemon's mount namespace. A mount in another namespace is refused only if it would propagate to
 * that one.
 */
#ifndef HOLDFAST_BPF_GUARD_GUARD_MOUNTS_BPF_H
#define HOLDFAST_BPF_GUARD_GUARD_MOUNTS_BPF_H

#include "bpf/guard/guard_dirs.bpf.h"

#define MNT_DETACH 2
#define MAX_MOUNTS 64 /* the maximum number of mounts between a guarded one and the root */
#define MS_REMOUNT 32
#define MS_BIND 4096
#define MS_MOVE 8192
#define MS_PROPAGATION (15 << 17) /* MS_UNBINDABLE, _PRIVATE, _SLAVE, _SHARED */

static struct mount___mg *mount_of(__u64 vfsmount) {
  struct mount___mg *none = 0;
  return (void *)(vfsmount - (__u64)__builtin_preserve_access_index(&none->mnt));
}

/* Is this mount one of the first `most` guarded ones? With `above`: or is it an ancestor of one? */
static __noinline int carries(__u64 vfsmount, int above, int most) {
  struct hf_guard_state *s = state();
  struct mount___mg *target = mount_of(vfsmount);
  if (!s) return 0;
  for (int i = 0; i < 2 * (int)HF_GUARDED_MOUNTS && i < most; i++) {
    __u64 mount = mount_at(s, i);
    struct mount___mg *at = mount_of(mount);
    if (!mount) continue;
    for (int j = 0; j < MAX_MOUNTS; j++) {
      struct mount___mg *parent;
      if (at == target) return 1;
      if (!above) break;
      parent = BPF_CORE_READ(at, mnt_parent);
      if (!parent || parent == at) break;
      at = parent;
    }
  }
  return 0;
}

#define ALL_MOUNTS (2 * (int)HF_GUARDED_MOUNTS)
#define MOUNT_OF_PINS 1 /* only the first one, which has the pins */

/*
 * A umount that is not lazy fails in any case while another mount is below. At a shutdown process 1 has to unmount
 * disks, but not the pins. While sealed it may not unmount the pins, because other processes can make it do so.
 */
SEC("lsm/sb_umount")
int BPF_PROG(guard_umount, struct vfsmount *mnt, int flags) {
  int above = flags & MNT_DETACH;
  if (!carries((__u64)mnt, above, ALL_MOUNTS)) return 0;
  if (is_sealed()) {
    if (is_init() && !carries((__u64)mnt, above, MOUNT_OF_PINS)) return 0;
  } else if (is_init() || is_daemon()) {
    return 0;
  }
  REFUSE(HF_GUARD_UMOUNT, flags);
}

/* Is the mount in the namespace of this guarded mount, or does it propagate to it? */
static __noinline int reaches(__u64 vfsmount, __u64 guarded_mount) {
  struct mount___mg *mount = mount_of(vfsmount);
  struct mount___mg *ours = mount_of(guarded_mount);
  int group = BPF_CORE_READ(mount, mnt_group_id);
  if (!guarded_mount) return 0;
  if (BPF_CORE_READ(mount, mnt_ns) == BPF_CORE_READ(ours, mnt_ns)) return 1;
  return group && group == BPF_CORE_READ(ours, mnt_group_id);
}

/* Would a mount on this path hide a guarded file or directory? */
static __noinline int hides(struct path___mg *path) {
  struct dentry___mg *dentry = BPF_CORE_READ(path, dentry);
  struct hf_guarded_dir *d = guarded(BPF_CORE_READ(dentry, d_inode));
  if (!d) d = contents(BPF_CORE_READ(dentry, d_parent, d_inode), dentry);
  if (!d) return 0;
  return reaches((__u64)BPF_CORE_READ(path, mnt), d->mount);
}

static __noinline int is_in_our_namespace(struct path___mg *path) {
  struct hf_guard_state *s = state();
  return s && reaches((__u64)BPF_CORE_READ(path, mnt), s->mounts[0]);
}

#define REFUSE_MOUNT(hidden) \
  do { \
    if (!(hidden) || is_init() || (is_daemon() && !is_sealed())) return 0; \
    REFUSE(HF_GUARD_MOUNT, 0); \
  } while (0)

/*
 * The order of the checks is that of path_mount(): the first matching flag determines the operation. The source of a
 * move is not known here, so all moves in the daemon's mount namespace are refused.
 */
SEC("lsm/sb_mount")
int BPF_PROG(guard_mount, const char *source, struct path___mg *path, const char *type, unsigned long flags,
             void *data) {
  if (flags & MS_REMOUNT) return 0;
  if (!(flags & MS_BIND)) {
    if (flags & MS_PROPAGATION) return 0;
    if (flags & MS_MOVE) REFUSE_MOUNT(is_in_our_namespace(path));
  }
  REFUSE_MOUNT(hides(path));
}

SEC("lsm/move_mount")
int BPF_PROG(guard_move_mount, struct path___mg *from, struct path___mg *to) {
  REFUSE_MOUNT(carries((__u64)BPF_CORE_READ(from, mnt), 1, ALL_MOUNTS) || hides(to));
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(guard_pivotroot, struct path___mg *old_path, struct path___mg *new_path) {
  REFUSE_MOUNT(is_in_our_namespace(new_path));
}

#endif /* HOLDFAST_BPF_GUARD_GUARD_MOUNTS_BPF_H */
