/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps machine-wide enforcement standing against the root that it holds.
 *
 * Whoever can open one of its maps can rewrite the policy; who can open its programs or detach its links can
 * end it. So descriptors of them are for the daemon's tasks alone, whichever way they are asked for: by id,
 * from a pin (bpf_map_new_fd() and bpf_prog_new_fd() both ask), and pins can be neither removed nor replaced
 * nor unmounted. A link of the types used here knows no detach; its only way to end is its last reference.
 *
 * A task is the daemon's by what it executes, noted when it does: what /proc says later can be forged with
 * prctl(PR_SET_MM_EXE_FILE). One that is traced while it executes is not. Children are not.
 */
#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MNT_DETACH 2
#define MAX_MOUNTS 64 /* between the BPF filesystem and the root */
#define SEND_SIG_PRIV 1
#define INIT_TGID 1

/* Not static: the compiler would dissolve them, and leave a type for a section that is not there. */
const char kDaemonName[] = "holdfastd";
const char kFtraceSysctl[] = "kernel/ftrace_enabled";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block___mg {
  unsigned int s_dev;
};
struct timespec64___mg {
  __s64 tv_sec;
};
struct inode___mg {
  unsigned long i_ino;
  struct super_block___mg *i_sb;
  struct {
    unsigned int val;
  } i_uid;
  struct timespec64___mg i_ctime;   /* to 6.5 */
  struct timespec64___mg __i_ctime; /* to 6.10 */
  __s64 i_ctime_sec;                /* since */
};
struct qstr___mg {
  const unsigned char *name;
};
struct dentry___mg {
  struct inode___mg *d_inode;
  struct qstr___mg d_name;
};
struct vfsmount___mg {
  struct super_block___mg *mnt_sb;
};
struct mount___mg {
  struct mount___mg *mnt_parent;
  struct vfsmount___mg mnt;
};
struct path___mg {
  struct vfsmount___mg *mnt;
  struct dentry___mg *dentry;
};
struct file___mg {
  struct inode___mg *f_inode;
  struct path___mg f_path;
};
struct fdtable___mg {
  struct file___mg **fd;
};
struct files_struct___mg {
  struct fdtable___mg *fdt;
};
struct cred___mg {
  struct {
    unsigned int val;
  } euid;
};
struct task_struct___mg {
  int pid;
  int tgid;
  unsigned int ptrace;
  char comm[HF_COMM_LEN];
  struct task_struct___mg *group_leader;
  const struct cred___mg *real_cred;
  struct files_struct___mg *files;
};
struct linux_binprm___mg {
  struct file___mg *file;
};
struct bpf_map___mg {
  __u32 id;
};
struct bpf_prog_aux___mg {
  __u32 id;
};
struct bpf_prog___mg {
  struct bpf_prog_aux___mg *aux;
};
#pragma clang attribute pop

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct hf_guard_state);
} guard_state SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u8);
} guard_ids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u32);
} guard_dirs SEC(".maps");

/* The daemon's tasks, by address. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, __u8);
} guard_marked SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} guard_events SEC(".maps");

static struct hf_guard_state *state(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&guard_state, &zero);
}

static int is_marked(__u64 task) {
  struct task_struct___mg *t = (void *)task;
  __u64 leader = (__u64)BPF_CORE_READ(t, group_leader);
  return bpf_map_lookup_elem(&guard_marked, &leader) != 0;
}

static int is_daemon(void) { return is_marked(bpf_get_current_task()); }

static __noinline int refuse(__u32 what, __u32 detail) {
  struct hf_guard_state *s = state();
  struct task_struct___mg *task = (void *)bpf_get_current_task();
  struct hf_guard_event event = {.what = what, .detail = detail};
  event.time_ns = bpf_ktime_get_boot_ns();
  event.actor.pid = BPF_CORE_READ(task, pid);
  event.actor.tgid = BPF_CORE_READ(task, tgid);
  event.actor.uid = BPF_CORE_READ(task, real_cred, euid.val);
  bpf_core_read_str(event.actor.comm, sizeof(event.actor.comm), &task->comm);
  if (s) __sync_fetch_and_add(&s->refused, 1);
  if (bpf_ringbuf_output(&guard_events, &event, sizeof(event), 0) && s) __sync_fetch_and_add(&s->lost, 1);
  return 0;
}

/* A branch of its own: the verifier wants to see the number. */
#define REFUSE(what, detail) \
  do { \
    refuse(what, detail); \
    asm volatile(""); \
    return -1; \
  } while (0)

/* ---- who is the daemon
 * -------------------------------------------------------------------------------- */

static __s64 ctime_of(struct inode___mg *inode) {
  if (bpf_core_field_exists(inode->i_ctime_sec)) return BPF_CORE_READ(inode, i_ctime_sec);
  if (bpf_core_field_exists(inode->__i_ctime)) return BPF_CORE_READ(inode, __i_ctime.tv_sec);
  return BPF_CORE_READ(inode, i_ctime.tv_sec);
}

static int is_named_holdfastd(struct file___mg *file) {
  const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
  char text[sizeof(kDaemonName) + 1] = {};
  bpf_probe_read_kernel_str(text, sizeof(text), name);
  for (__u32 i = 0; i < sizeof(kDaemonName); i++)
    if (text[i] != kDaemonName[i]) return 0;
  return 1;
}

static int is_daemon_file(struct file___mg *file) {
  struct inode___mg *inode = BPF_CORE_READ(file, f_inode);
  struct hf_guard_state *s = state();
  if (!s) return 0;
  if (s->sealed)
    return BPF_CORE_READ(inode, i_ino) == s->exe_inode && BPF_CORE_READ(inode, i_sb, s_dev) == s->exe_device &&
           ctime_of(inode) == s->exe_ctime;
  return BPF_CORE_READ(inode, i_uid.val) == 0 && is_named_holdfastd(file);
}

SEC("lsm/bprm_committing_creds")
int BPF_PROG(guard_exec, void *bprm) {
  __u64 current = bpf_get_current_task();
  struct task_struct___mg *task = (void *)current;
  struct linux_binprm___mg *b = bprm;
  __u8 one = 1;
  if (!BPF_CORE_READ(task, ptrace) && is_daemon_file(BPF_CORE_READ(b, file)))
    bpf_map_update_elem(&guard_marked, &current, &one, BPF_ANY);
  else
    bpf_map_delete_elem(&guard_marked, &current);
  return 0;
}

SEC("lsm/task_free")
int BPF_PROG(guard_free, void *task) {
  __u64 address = (__u64)task;
  bpf_map_delete_elem(&guard_marked, &address);
  return 0;
}

/* Run once by the daemon that loads this: it executed before anybody could note it. */
SEC("syscall")
int guard_claim(void *unused) {
  __u64 current = bpf_get_current_task();
  struct task_struct___mg *task = (void *)current;
  struct hf_guard_state *s = state();
  struct file___mg **fds = BPF_CORE_READ(task, files, fdt, fd);
  struct file___mg *file = 0;
  __u8 one = 1;
  if (!s) return 1;
  if (bpf_probe_read_kernel(&file, sizeof(file), fds + s->claim_fd)) return 1;
  s->mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
  s->pins_device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
  return bpf_map_update_elem(&guard_marked, &current, &one, BPF_ANY) != 0;
}

/* The file that the calling process executes becomes the only one. */
SEC("syscall")
int guard_seal(void *unused) {
  struct task_struct___mg *task = (void *)bpf_get_current_task();
  struct hf_guard_state *s = state();
  struct file___mg **fds = BPF_CORE_READ(task, files, fdt, fd);
  struct file___mg *file = 0;
  struct inode___mg *inode;
  if (!s || bpf_probe_read_kernel(&file, sizeof(file), fds + s->claim_fd)) return 1;
  inode = BPF_CORE_READ(file, f_inode);
  s->exe_inode = BPF_CORE_READ(inode, i_ino);
  s->exe_device = BPF_CORE_READ(inode, i_sb, s_dev);
  s->exe_ctime = ctime_of(inode);
  s->sealed = 1;
  return 0;
}

/* ---- programs, maps, links
 * ---------------------------------------------------------------------------- */

static int is_guarded(__u64 kind, __u32 id) {
  __u64 key = kind << 32 | id;
  return bpf_map_lookup_elem(&guard_ids, &key) != 0;
}

SEC("lsm/bpf")
int BPF_PROG(guard_bpf, int cmd, void *attr) {
  __u64 kind = cmd == BPF_PROG_GET_FD_BY_ID   ? HF_GUARDED_PROGRAM
               : cmd == BPF_MAP_GET_FD_BY_ID  ? HF_GUARDED_MAP
               : cmd == BPF_LINK_GET_FD_BY_ID ? HF_GUARDED_LINK
                                              : 0;
  __u32 id = 0;
  if (!kind) return 0;
  /* The kernel's copy: prog_id, map_id and link_id all come first. */
  if (bpf_probe_read_kernel(&id, sizeof(id), attr)) return 0;
  if (!is_guarded(kind, id) || is_daemon()) return 0;
  REFUSE(HF_GUARD_BY_ID, id);
}

SEC("lsm/bpf_map")
int BPF_PROG(guard_map, void *map) {
  struct bpf_map___mg *m = map;
  __u32 id = BPF_CORE_READ(m, id);
  if (!is_guarded(HF_GUARDED_MAP, id) || is_daemon()) return 0;
  REFUSE(HF_GUARD_MAP, id);
}

SEC("lsm/bpf_prog")
int BPF_PROG(guard_program, void *prog) {
  struct bpf_prog___mg *p = prog;
  __u32 id = BPF_CORE_READ(p, aux, id);
  if (!is_guarded(HF_GUARDED_PROGRAM, id) || is_daemon()) return 0;
  REFUSE(HF_GUARD_PROGRAM, id);
}

/* ---- pins
 * --------------------------------------------------------------------------------------------- */

static __u32 dir_guard(struct inode___mg *inode) {
  struct hf_guard_state *s = state();
  __u64 number = 0;
  __u32 *how;
  if (!s || !inode) return 0;
  if (BPF_CORE_READ(inode, i_sb, s_dev) != s->pins_device) return 0;
  number = BPF_CORE_READ(inode, i_ino);
  how = bpf_map_lookup_elem(&guard_dirs, &number);
  return how ? *how : 0;
}

static int changes_pins(void *dir) { return dir_guard(dir) == HF_GUARDED_WHOLE && !is_daemon(); }

static int takes_pins(void *dir, void *dentry) {
  struct dentry___mg *victim = dentry;
  if (dir_guard(dir) != HF_GUARDED_WHOLE && !dir_guard(BPF_CORE_READ(victim, d_inode))) return 0;
  return !is_daemon();
}

#define GUARD_ADDING(hook) \
  SEC("lsm/inode_" #hook) \
  int BPF_PROG(guard_##hook, void *dir) { \
    if (!changes_pins(dir)) return 0; \
    REFUSE(HF_GUARD_PIN, 0); \
  }
GUARD_ADDING(create)
GUARD_ADDING(mkdir)
GUARD_ADDING(mknod)
GUARD_ADDING(symlink)

SEC("lsm/inode_link")
int BPF_PROG(guard_link, void *old, void *dir) {
  if (!changes_pins(dir)) return 0;
  REFUSE(HF_GUARD_PIN, 0);
}

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, void *dir, void *dentry) {
  if (!takes_pins(dir, dentry)) return 0;
  REFUSE(HF_GUARD_PIN, 0);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, void *dir, void *dentry) {
  if (!takes_pins(dir, dentry)) return 0;
  REFUSE(HF_GUARD_PIN, 0);
}

SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, void *from, void *dentry, void *to) {
  if (!takes_pins(from, dentry) && !changes_pins(to)) return 0;
  REFUSE(HF_GUARD_PIN, 0);
}

/*
 * In the mount namespace that the daemon pinned from. A lazy umount of a mount above takes everything below
 * along; one that is not lazy fails while something is mounted below.
 */
SEC("lsm/sb_umount")
int BPF_PROG(guard_umount, void *mnt, int flags) {
  struct hf_guard_state *s = state();
  struct mount___mg *none = 0;
  __u64 offset = (__u64)__builtin_preserve_access_index(&none->mnt);
  __u64 target = (__u64)mnt - offset;
  __u64 at;
  if (!s || !s->mount || is_daemon()) return 0;
  at = s->mount - offset;
  for (int i = 0; i < MAX_MOUNTS; i++) {
    __u64 parent;
    if (at == target) REFUSE(HF_GUARD_UMOUNT, flags);
    if (!(flags & MNT_DETACH)) return 0;
    parent = (__u64)BPF_CORE_READ((struct mount___mg *)at, mnt_parent);
    if (!parent || parent == at) return 0;
    at = parent;
  }
  return 0;
}

/* ---- the daemon
 * --------------------------------------------------------------------------------------- */

/* The service manager may end it; that ends no enforcement. So may the kernel. */
SEC("lsm/task_kill")
int BPF_PROG(guard_kill, void *task, void *info, int sig) {
  struct task_struct___mg *current = (void *)bpf_get_current_task();
  if (!sig || (__u64)info == SEND_SIG_PRIV || !is_marked((__u64)task)) return 0;
  if (BPF_CORE_READ(current, tgid) == INIT_TGID || is_daemon()) return 0;
  REFUSE(HF_GUARD_SIGNAL, sig);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_trace, void *task, unsigned int mode) {
  if (!(mode & 2) || !is_marked((__u64)task) || is_daemon()) return 0; /* PTRACE_MODE_ATTACH */
  REFUSE(HF_GUARD_TRACE, mode);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(guard_limit, void *task) {
  struct task_struct___mg *current = (void *)bpf_get_current_task();
  if (!is_marked((__u64)task) || is_daemon()) return 0;
  if (BPF_CORE_READ(current, tgid) == INIT_TGID) return 0;
  REFUSE(HF_GUARD_LIMIT, 0);
}

/*
 * On the root cgroup, so that every task on the machine is below it. Before 7.3 kernel.ftrace_enabled=0
 * silences every program here and lets new ones attach. Returns 1 to allow.
 */
SEC("cgroup/sysctl")
int guard_sysctl(struct bpf_sysctl *ctx) {
  char name[sizeof(kFtraceSysctl) + 1] = {};
  if (!ctx->write) return 1;
  if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) < 0) return 1; /* a longer one */
  for (__u32 i = 0; i < sizeof(kFtraceSysctl); i++)
    if (name[i] != kFtraceSysctl[i]) return 1;
  refuse(HF_GUARD_SYSCTL, 0);
  return 0;
}
