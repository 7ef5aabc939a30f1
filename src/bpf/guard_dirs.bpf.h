/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Directories that only the daemon changes: that of its pins, and, when it is told to protect them, those of the
 * policy's files and of its state.
 *
 * Each directory is known by device and number. A file is guarded by the directory its name is in, not by itself:
 * so a new one is guarded from its first moment, and none has to be forgotten when it goes. What this misses, the
 * daemon does away with when it begins: a file that has another name elsewhere, or that somebody has open for
 * writing or mapped, it replaces by a copy (daemon/protected_files.h). From then on no second name can be made
 * and nothing be opened.
 *
 * A file that is opened by its handle can be in no directory; such a one is not opened for writing on these
 * devices.
 */
#ifndef HOLDFAST_BPF_GUARD_DIRS_BPF_H
#define HOLDFAST_BPF_GUARD_DIRS_BPF_H

#include "bpf/guard_maps.bpf.h"

#define FMODE_WRITE 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define IOC_WRITE 0x40000000u     /* the caller hands data in */
#define FS_IOC_FIEMAP 0xc020660bu /* the one of those that only reads */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, struct hf_guarded_inode);
  __type(value, struct hf_guarded_dir);
} guard_dirs SEC(".maps");

static struct hf_guarded_dir *guarded(struct inode___mg *inode) {
  struct hf_guarded_inode key = {};
  if (!inode) return 0;
  key.number = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  return bpf_map_lookup_elem(&guard_dirs, &key);
}

/* HF_GUARD_*: what changing the contents of this directory is; 0: free. */
static __noinline __u32 contents(struct inode___mg *dir) {
  struct hf_guarded_dir *d = guarded(dir);
  return d && d->how == HF_GUARDED_WHOLE ? d->what : 0;
}

/* What taking away or replacing this name in that directory is. */
static __noinline __u32 taking(struct inode___mg *dir, struct dentry___mg *victim) {
  struct hf_guarded_dir *d = guarded(BPF_CORE_READ(victim, d_inode));
  return d ? d->what : contents(dir);
}

/* What changing this file or directory itself is. */
static __noinline __u32 changing(struct dentry___mg *dentry) {
  __u32 what = contents(BPF_CORE_READ(dentry, d_inode));
  return what ? what : contents(BPF_CORE_READ(dentry, d_parent, d_inode));
}

/* Run by the daemon for each directory. */
SEC("syscall")
int guard_protect(void *unused) {
  struct hf_guard_state *s = state();
  struct hf_guarded_inode key = {};
  struct hf_guarded_dir dir;
  struct hf_guarded_dir *had;
  struct file___mg *file;
  struct inode___mg *inode;
  if (!s) return 1;
  file = claimed_file(s);
  if (!file) return 1;
  dir = s->claim;
  dir.mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
  inode = BPF_CORE_READ(file, f_inode);
  key.number = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  had = bpf_map_lookup_elem(&guard_dirs, &key);
  if (had && had->how > dir.how) return 0;
  if (bpf_map_update_elem(&guard_dirs, &key, &dir, BPF_ANY)) return 1;
  for (int i = 0; i < (int)HF_GUARDED_MOUNTS; i++) {
    if (!s->mounts[i]) s->mounts[i] = dir.mount;
    if (s->mounts[i] == dir.mount) return 0;
  }
  return 1;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static __always_inline __u32 number_of(struct inode___mg *inode) { return (__u32)BPF_CORE_READ(inode, i_ino); }

#define REFUSE_CHANGE(what, inode) \
  do { \
    __u32 kind = what; \
    if (!kind || is_daemon()) return 0; \
    REFUSE(kind, number_of(inode)); \
  } while (0)

#define GUARD_ADDING(hook) \
  SEC("lsm/inode_" #hook) \
  int BPF_PROG(guard_##hook, void *dir) { REFUSE_CHANGE(contents(dir), dir); }
GUARD_ADDING(create)
GUARD_ADDING(mkdir)
GUARD_ADDING(mknod)
GUARD_ADDING(symlink)

/* A name elsewhere would be one that is not guarded. */
SEC("lsm/inode_link")
int BPF_PROG(guard_link, struct dentry___mg *old, void *dir) {
  __u32 what = contents(dir);
  if (!what) what = changing(old);
  REFUSE_CHANGE(what, dir);
}

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, void *dir, void *dentry) { REFUSE_CHANGE(taking(dir, dentry), dir); }

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, void *dir, void *dentry) { REFUSE_CHANGE(taking(dir, dentry), dir); }

SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, void *from, void *dentry, void *to, void *replaced) {
  __u32 what = taking(from, dentry);
  if (!what) what = taking(to, replaced);
  REFUSE_CHANGE(what, from);
}

/* ---- contents ------------------------------------------------------------------------------------------------- */
/* Attached only when files are protected: it is everybody's files that these are asked about. */

static __always_inline struct inode___mg *inode_of(struct dentry___mg *dentry) {
  return BPF_CORE_READ(dentry, d_inode);
}
#define REFUSE_CHANGE_OF(dentry) REFUSE_CHANGE(changing(dentry), inode_of(dentry))

/* Found by its handle, under no name. */
static __noinline int is_nameless(struct dentry___mg *dentry) {
  struct inode___mg *inode = BPF_CORE_READ(dentry, d_inode);
  struct hf_guard_state *s = state();
  unsigned int device = BPF_CORE_READ(inode, i_sb, s_dev);
  if (!s || BPF_CORE_READ(dentry, d_parent) != dentry) return 0;
  if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG) return 0;
  for (int i = 0; i < (int)HF_GUARDED_MOUNTS; i++) {
    struct vfsmount___mg *mount = (void *)s->mounts[i];
    if (mount && BPF_CORE_READ(mount, mnt_sb, s_dev) == device) return 1;
  }
  return 0;
}

SEC("lsm/file_open")
int BPF_PROG(guard_file_open, struct file___mg *file) {
  struct dentry___mg *dentry;
  __u32 what;
  if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE)) return 0;
  dentry = BPF_CORE_READ(file, f_path.dentry);
  what = is_nameless(dentry) ? HF_GUARD_FILES : changing(dentry);
  REFUSE_CHANGE(what, inode_of(dentry));
}

/* Length, mode, owner, times. The first argument is an idmap on kernels from 6.2 up. */
SEC("lsm/inode_setattr")
int guard_setattr(unsigned long long *ctx) {
  __u64 first = ctx[0], second = ctx[1];
  struct dentry___mg *dentry = (void *)(bpf_get_func_arg_cnt(ctx) > 2 ? second : first);
  REFUSE_CHANGE_OF(dentry);
}

#define GUARD_ATTRIBUTE(hook) \
  SEC("lsm/inode_" #hook) \
  int BPF_PROG(guard_##hook, void *idmap, struct dentry___mg *dentry) { REFUSE_CHANGE_OF(dentry); }
GUARD_ATTRIBUTE(setxattr)
GUARD_ATTRIBUTE(removexattr)
GUARD_ATTRIBUTE(set_acl)
GUARD_ATTRIBUTE(remove_acl)

/* chattr(1) and its like, by ioctl or, from 6.17 on, by a call of their own. */
#define GUARD_IOCTL(hook) \
  SEC("lsm/file_" #hook) \
  int BPF_PROG(guard_file_##hook, struct file___mg *file, unsigned int cmd) { \
    struct dentry___mg *dentry = BPF_CORE_READ(file, f_path.dentry); \
    if (!(cmd & IOC_WRITE) || cmd == FS_IOC_FIEMAP) return 0; \
    REFUSE_CHANGE_OF(dentry); \
  }
GUARD_IOCTL(ioctl)
GUARD_IOCTL(ioctl_compat)

SEC("lsm/inode_file_setattr")
int BPF_PROG(guard_file_setattr, struct dentry___mg *dentry) { REFUSE_CHANGE_OF(dentry); }

#endif /* HOLDFAST_BPF_GUARD_DIRS_BPF_H */
