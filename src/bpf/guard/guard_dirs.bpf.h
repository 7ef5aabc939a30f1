/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Protects directories that only the daemon may change: that of its pins, and with --protect-policy those of the
 * policy's files and of its own state.
 *
 * While the machine is sealed, not even the daemon may change them, because any root process can start a daemon with
 * a command line of its choice. The exception is the state directory, which the serving process may change. While
 * sealed, the daemon's executable, the files that start it, and the block devices of all these are protected, too.
 *
 * A directory is identified by device and inode number. A file is protected through the directory that has its name.
 * So a new file is protected at once, and no entry has to be removed with a file. A file may also have a second name
 * elsewhere, or be open for writing or mapped when the guard starts. The daemon replaces such files by copies
 * (daemon/policy_files.h). From then on the guard prevents second names and opens for writing.
 *
 * A file that is opened by its handle may have no parent directory. On these devices such a file cannot be opened for
 * writing.
 */
#ifndef HOLDFAST_BPF_GUARD_GUARD_DIRS_BPF_H
#define HOLDFAST_BPF_GUARD_GUARD_DIRS_BPF_H

#include "bpf/guard/guard_maps.bpf.h"

#define FMODE_WRITE 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define IOC_WRITE 0x40000000u     /* the caller passes data to the kernel */
#define FS_IOC_FIEMAP 0xc020660bu /* has IOC_WRITE, but only reads */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct hf_guarded_inode);
  __type(value, struct hf_guarded_dir);
} guard_dirs SEC(".maps");

static __noinline struct hf_guarded_dir *guarded(struct inode___mg *inode) {
  struct hf_guarded_inode key = {};
  struct hf_guarded_dir *always, *now;
  struct hf_guard_state *s = state();
  if (!inode || !s) return 0;
  key.number = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  always = bpf_map_lookup_elem(&guard_dirs, &key);
  if (!s->sealed) return always;
  key.seal = s->seals;
  now = bpf_map_lookup_elem(&guard_dirs, &key);
  if (!now) return always;
  return always && always->how > now->how ? always : now;
}

static __noinline int begins_with_our_name(struct dentry___mg *dentry) {
  const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
  struct hf_name text;
  hf_read_name(&text, name);
  return HF_BEGINS(&text, DAEMON_NAME);
}

/* The entry that protects `name` in `dir`, or the content of `dir` if `name` is 0. 0: none does. */
static __noinline struct hf_guarded_dir *contents(struct inode___mg *dir, struct dentry___mg *name) {
  struct hf_guarded_dir *d = guarded(dir);
  if (!d) return 0;
  if (d->how >= HF_GUARDED_WHOLE) return d;
  return d->how == HF_GUARDED_NAMES && name && begins_with_our_name(name) ? d : 0;
}

/* The entry that protects the name `victim` in `dir` against removal and replacement. 0: none does. */
static __noinline struct hf_guarded_dir *taking(struct inode___mg *dir, struct dentry___mg *victim) {
  struct hf_guarded_dir *d = guarded(BPF_CORE_READ(victim, d_inode));
  return d ? d : contents(dir, victim);
}

/* The entry that protects this file or directory itself against changes. 0: none does. */
static __noinline struct hf_guarded_dir *changing(struct dentry___mg *dentry) {
  struct hf_guarded_dir *d = contents(BPF_CORE_READ(dentry, d_inode), 0);
  return d ? d : contents(BPF_CORE_READ(dentry, d_parent, d_inode), dentry);
}

static int may_change(struct hf_guarded_dir *d) {
  int mark = mark_of(bpf_get_current_task());
  if (!is_sealed()) return mark != 0;
  return mark == HF_SERVING && d->how == HF_GUARDED_STATE;
}

/* Is a regular file open for writing? Its writer could go on writing while the file is guarded. */
static int has_writers(struct inode___mg *inode) {
  return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG && BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

static __noinline int remember_mount(struct hf_guard_state *s, __u64 mount, int sealed) {
  for (int i = 0; i < (int)HF_GUARDED_MOUNTS; i++) {
    int at = sealed ? i + HF_GUARDED_MOUNTS : i;
    if (!s->mounts[at & (2 * HF_GUARDED_MOUNTS - 1)]) s->mounts[at & (2 * HF_GUARDED_MOUNTS - 1)] = mount;
    if (s->mounts[at & (2 * HF_GUARDED_MOUNTS - 1)] == mount) return 1;
  }
  return 0;
}

/* The address of guarded mount number `i`. 0: the slot is empty. */
static __always_inline __u64 mount_at(struct hf_guard_state *s, __u32 i) {
  return i < HF_GUARDED_MOUNTS || s->sealed ? s->mounts[i & (2 * HF_GUARDED_MOUNTS - 1)] : 0;
}

#define REFUSE_CLAIM(s, why) \
  do { \
    (s)->claim_refusal = why; \
    return 1; \
  } while (0)

/*
 * The daemon runs this for each directory and file. Not while it is sealed: the number of the descriptor is in memory
 * that another process of the same program can write.
 */
SEC("syscall")
int guard_protect(void *unused) {
  struct hf_guard_state *s = state();
  struct hf_guarded_inode key = {};
  struct hf_guarded_dir dir;
  struct hf_guarded_dir *had;
  struct file___mg *file;
  struct inode___mg *inode;
  if (!s) return 1;
  if (s->sealed) REFUSE_CLAIM(s, HF_CLAIM_SEALED);
  file = claimed_file(s);
  if (!file) return 1;
  dir = s->claim;
  dir.mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
  inode = BPF_CORE_READ(file, f_inode);
  key.number = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  if (s->claim_seal) {
    key.seal = s->seals + 1;
    /* guard_seal checks the executable again. Executing a file keeps writers away. */
    if (has_writers(inode)) REFUSE_CLAIM(s, HF_CLAIM_WRITERS);
  }
  had = bpf_map_lookup_elem(&guard_dirs, &key);
  if (had && had->how > dir.how) return 0;
  if (bpf_map_update_elem(&guard_dirs, &key, &dir, BPF_ANY)) REFUSE_CLAIM(s, HF_CLAIM_FULL);
  if (!remember_mount(s, dir.mount, s->claim_seal != 0)) REFUSE_CLAIM(s, HF_CLAIM_FULL);
  return 0;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static __always_inline __u32 number_of(struct inode___mg *inode) { return (__u32)BPF_CORE_READ(inode, i_ino); }

#define REFUSE_CHANGE(guard, inode) \
  do { \
    struct hf_guarded_dir *guarded_by = guard; \
    if (!guarded_by || may_change(guarded_by)) return 0; \
    REFUSE(guarded_by->what, number_of(inode)); \
  } while (0)

/* `...`: what the hook says about the new file. */
#define GUARD_ADDING(hook, ...) \
  HF_PROG_IDMAP("lsm/inode_" #hook, guard_##hook, struct inode___mg *dir, struct dentry___mg *dentry, __VA_ARGS__) { \
    REFUSE_CHANGE(contents(dir, dentry), dir); \
  }
GUARD_ADDING(create, unsigned short mode)
GUARD_ADDING(mkdir, unsigned short mode)
GUARD_ADDING(mknod, unsigned short mode, unsigned int device)
GUARD_ADDING(symlink, const char *target)

/* A second name elsewhere would not be protected, and a link to the sealed executable would change its ctime. */
HF_PROG_IDMAP("lsm/inode_link", guard_link, struct dentry___mg *old, struct inode___mg *dir,
              struct dentry___mg *dentry) {
  struct hf_guarded_dir *by = contents(dir, dentry);
  if (!by) by = changing(old);
  REFUSE_CHANGE(by, dir);
}

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, struct inode___mg *dir, struct dentry___mg *dentry) {
  REFUSE_CHANGE(taking(dir, dentry), dir);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, struct inode___mg *dir, struct dentry___mg *dentry) {
  REFUSE_CHANGE(taking(dir, dentry), dir);
}

SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode___mg *from, struct dentry___mg *dentry, struct inode___mg *to,
             struct dentry___mg *replaced) {
  struct hf_guarded_dir *by = taking(from, dentry);
  if (!by) by = taking(to, replaced);
  REFUSE_CHANGE(by, from);
}

/* ---- contents ------------------------------------------------------------------------------------------------- */
/*
 * These programs are attached only while files are protected or the machine is sealed, because they run for the files
 * of all users.
 */

static __always_inline struct inode___mg *inode_of(struct dentry___mg *dentry) {
  return BPF_CORE_READ(dentry, d_inode);
}
#define REFUSE_CHANGE_OF(dentry) REFUSE_CHANGE(changing(dentry), inode_of(dentry))

/* Was this regular file opened by its handle, so that it has no parent directory? Only on guarded devices. */
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

/* Is this the block device, or the whole disk, of a guarded mount? Devices below dm, md or loop do not count. */
static __noinline int is_guarded_disk(struct inode___mg *inode) {
  struct hf_guard_state *s = state();
  unsigned int device = BPF_CORE_READ(inode, i_rdev);
  if (!s || !s->sealed) return 0;
  for (int i = 0; i < 2 * (int)HF_GUARDED_MOUNTS; i++) {
    struct vfsmount___mg *mount = (void *)mount_at(s, i);
    struct block_device___mg *disk;
    if (!mount) continue;
    disk = BPF_CORE_READ(mount, mnt_sb, s_bdev);
    if (!disk) continue;
    if (BPF_CORE_READ(disk, bd_dev) == device) return 1;
    if (BPF_CORE_READ(disk, bd_disk, part0, bd_dev) == device) return 1;
  }
  return 0;
}

SEC("lsm/file_open")
int BPF_PROG(guard_file_open, struct file___mg *file) {
  struct dentry___mg *dentry;
  struct inode___mg *inode;
  if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE)) return 0;
  dentry = BPF_CORE_READ(file, f_path.dentry);
  inode = inode_of(dentry);
  if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFBLK && is_guarded_disk(inode))
    REFUSE(HF_GUARD_FILES, number_of(inode));
  if (is_nameless(dentry)) {
    if (is_daemon() && !is_sealed()) return 0;
    REFUSE(HF_GUARD_FILES, number_of(inode));
  }
  REFUSE_CHANGE_OF(dentry);
}

/* Changes of size, mode, owner and times. */
HF_PROG_IDMAP("lsm/inode_setattr", guard_setattr, struct dentry___mg *dentry, struct iattr *attr) {
  REFUSE_CHANGE_OF(dentry);
}

#define GUARD_ATTRIBUTE(hook, ...) \
  SEC("lsm/inode_" #hook) \
  int BPF_PROG(guard_##hook, struct hf_unread *idmap, struct dentry___mg *dentry, const char *name, ##__VA_ARGS__) { \
    REFUSE_CHANGE_OF(dentry); \
  }
GUARD_ATTRIBUTE(setxattr, const void *value, unsigned long size, int flags)
GUARD_ATTRIBUTE(removexattr)
GUARD_ATTRIBUTE(set_acl, struct posix_acl *acl)
GUARD_ATTRIBUTE(remove_acl)

/* chattr(1) and similar changes: by ioctl(2), or from Linux 6.17 on by file_setattr(2). */
#define GUARD_IOCTL(hook) \
  SEC("lsm/file_" #hook) \
  int BPF_PROG(guard_file_##hook, struct file___mg *file, unsigned int cmd, unsigned long arg) { \
    struct dentry___mg *dentry = BPF_CORE_READ(file, f_path.dentry); \
    if (!(cmd & IOC_WRITE) || cmd == FS_IOC_FIEMAP) return 0; \
    REFUSE_CHANGE_OF(dentry); \
  }
GUARD_IOCTL(ioctl)
GUARD_IOCTL(ioctl_compat)

SEC("lsm/inode_file_setattr")
int BPF_PROG(guard_file_setattr, struct dentry___mg *dentry, struct file_kattr *fa) { REFUSE_CHANGE_OF(dentry); }

#endif /* HOLDFAST_BPF_GUARD_GUARD_DIRS_BPF_H */
