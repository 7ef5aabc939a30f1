/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Protects machine-wide enforcement against the root processes that it confines.
 *
 * A process that can open one of the maps can change the policy. One that can open the programs or detach the links
 * can end the enforcement. So only the daemon's tasks get descriptors of them, by id or from a pin (bpf_map_new_fd()
 * and bpf_prog_new_fd() both call an LSM hook). Pins cannot be removed, replaced or unmounted. Links of the types used
 * here have no detach operation, so a link ends only with its last reference.
 *
 * A task is the daemon's if it executes the daemon's executable. This is recorded during execve, because
 * prctl(PR_SET_MM_EXE_FILE) can change what /proc shows later. A task that is traced during execve does not count, and
 * neither do children, nor a member of a session: with --stop-enforcing it would end what holds it.
 *
 * With --protect-policy the same protection applies to the directories of the policy's files and of the daemon's
 * state.
 *
 * A process that executes holdfastd chooses its command line, and so the files that it opens, removes and writes. So
 * while the machine is sealed, the daemon is restricted, too, by the state of this guard alone. The pins stay. No
 * other policy becomes live, because the map with the live generation gives no writable descriptor. Maps that only an
 * end of enforcement needs give no descriptor at all.
 */
#include "bpf/guard/guard_dirs.bpf.h"
#include "bpf/guard/guard_maps.bpf.h"
#include "bpf/guard/guard_mounts.bpf.h"
#include "bpf/guard/guard_tasks.bpf.h"
#include "bpf/lib/session_tasks.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SEND_SIG_PRIV 1
#define S_IWOTHERS 022 /* group and all others may write */
#define PTRACE_MODE_ATTACH 2
#define FS_REQUIRES_DEV 1
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define I_CTIME_QUERIED 0x80000000u
#define NS_PER_S 1000000000ll

#define FTRACE_SYSCTL "kernel/ftrace_enabled"
#define CAD_PID_SYSCTL "kernel/cad_pid" /* shorter */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u8); /* HF_FOR_DAEMON, ... */
} guard_ids SEC(".maps");

/* ---- the daemon's tasks --------------------------------------------------------------------------------------- */

/* The ctime in ns, as precise as the filesystem stores it. The top bit of the ns only tells whether it was queried. */
static __s64 ctime_of(struct inode___mg *inode) {
  if (bpf_core_field_exists(inode->i_ctime_sec))
    return BPF_CORE_READ(inode, i_ctime_sec) * NS_PER_S + (BPF_CORE_READ(inode, i_ctime_nsec) & ~I_CTIME_QUERIED);
  if (bpf_core_field_exists(inode->__i_ctime))
    return BPF_CORE_READ(inode, __i_ctime.tv_sec) * NS_PER_S +
           (BPF_CORE_READ(inode, __i_ctime.tv_nsec) & ~(__u64)I_CTIME_QUERIED);
  return BPF_CORE_READ(inode, i_ctime.tv_sec) * NS_PER_S + BPF_CORE_READ(inode, i_ctime.tv_nsec);
}

static int is_named_holdfastd(struct file___mg *file) {
  const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
  struct hf_name text;
  hf_read_name(&text, name);
  return HF_SAME(&text, DAEMON_NAME);
}

/*
 * While sealed: is this the sealed file? The guard prevents changes of it (guard_dirs.bpf.h). Its generation
 * distinguishes it from a later file with the same inode number, and its ctime from one that was written below the
 * filesystem. Not sealed: is it a file of root named holdfastd, in the directory of the last daemon's executable?
 */
static int is_daemon_file(struct file___mg *file) {
  struct inode___mg *inode = BPF_CORE_READ(file, f_inode);
  struct inode___mg *home = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);
  struct hf_guard_state *s = state();
  if (!s) return 0;
  if (s->sealed)
    return BPF_CORE_READ(inode, i_ino) == s->exe_inode && BPF_CORE_READ(inode, i_sb, s_dev) == s->exe_device &&
           BPF_CORE_READ(inode, i_generation) == s->exe_generation && ctime_of(inode) == s->exe_ctime;
  if (BPF_CORE_READ(home, i_ino) != s->home_inode || BPF_CORE_READ(home, i_sb, s_dev) != s->home_device) return 0;
  if (BPF_CORE_READ(inode, i_uid.val) != 0 || (BPF_CORE_READ(inode, i_mode) & S_IWOTHERS)) return 0;
  return is_named_holdfastd(file);
}

SEC("lsm/bprm_committing_creds")
int BPF_PROG(guard_exec, const struct linux_binprm___mg *bprm) {
  __u64 current = bpf_get_current_task();
  struct task_struct___mg *task = (void *)current;
  __u8 daemon = HF_DAEMON;
  if (!BPF_CORE_READ(task, ptrace) && !bpf_map_lookup_elem(&session_tasks, &current) &&
      is_daemon_file(BPF_CORE_READ(bprm, file)))
    bpf_map_update_elem(&guard_marked, &current, &daemon, BPF_ANY);
  else
    bpf_map_delete_elem(&guard_marked, &current);
  return 0;
}

SEC("lsm/task_free")
int BPF_PROG(guard_free, struct task_struct *task) {
  __u64 address = (__u64)task;
  bpf_map_delete_elem(&guard_marked, &address);
  return 0;
}

/* The daemon that loads this runs it once, because its own execve came before. */
SEC("syscall")
int guard_claim(void *unused) {
  __u64 current = bpf_get_current_task();
  struct hf_guard_state *s = state();
  struct file___mg *file = executable();
  struct inode___mg *home;
  __u8 serving = HF_SERVING;
  if (!s || !file) return 1;
  home = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);
  s->home_inode = BPF_CORE_READ(home, i_ino);
  s->home_device = BPF_CORE_READ(home, i_sb, s_dev);
  return bpf_map_update_elem(&guard_marked, &current, &serving, BPF_ANY) != 0;
}

/* The daemon that serves the pins, and has their lock, runs this. */
SEC("syscall")
int guard_serve(void *unused) {
  __u64 current = bpf_get_current_task();
  __u8 serving = HF_SERVING;
  if (!is_daemon()) return 1;
  return bpf_map_update_elem(&guard_marked, &current, &serving, BPF_EXIST) != 0;
}

/*
 * Can the file be changed only through its own filesystem, so that the guard is asked? Files of overlays, of network
 * filesystems and of FUSE can be changed from elsewhere.
 */
static int is_of_this_machine(struct inode___mg *inode) {
  unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
  if (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC) return 1;
  return BPF_CORE_READ(inode, i_sb, s_type, fs_flags) & FS_REQUIRES_DEV;
}

/*
 * Makes the executable of the calling process the only one of the daemon. It works only once: a second sealing could
 * put another file in its place, which needs the token. The daemon has called guard_protect for the file by its path.
 */
SEC("syscall")
int guard_seal(void *unused) {
  struct hf_guard_state *s = state();
  struct file___mg *file = executable();
  struct hf_guarded_inode key = {};
  struct hf_guarded_dir *known;
  struct inode___mg *inode;
  if (!s || !file) return 1;
  if (s->sealed) REFUSE_CLAIM(s, HF_CLAIM_SEALED);
  inode = BPF_CORE_READ(file, f_inode);
  key.number = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  key.seal = s->seals + 1;
  known = bpf_map_lookup_elem(&guard_dirs, &key);
  if (!known || known->how != HF_GUARDED_WHOLE) REFUSE_CLAIM(s, HF_CLAIM_ELSEWHERE);
  if (!is_of_this_machine(inode)) REFUSE_CLAIM(s, HF_CLAIM_FILESYSTEM);
  if (has_writers(inode)) REFUSE_CLAIM(s, HF_CLAIM_WRITERS);
  s->exe_inode = key.number;
  s->exe_device = key.device;
  s->exe_generation = BPF_CORE_READ(inode, i_generation);
  s->exe_ctime = ctime_of(inode);
  s->seals = key.seal;
  s->sealed = 1;
  return 0;
}

/* ---- programs, maps, links ------------------------------------------------------------------------------------- */

/* Must the current task not get a descriptor of the object? `mode` has FMODE_WRITE for a writable one. */
static int is_kept_from(__u64 kind, __u32 id, unsigned int mode) {
  __u64 key = kind << 32 | id;
  __u8 *who = bpf_map_lookup_elem(&guard_ids, &key);
  if (!who) return 0;
  if (!is_daemon()) return 1;
  if (!is_sealed()) return 0;
  return *who == HF_SHUT_SEALED || (*who == HF_READ_SEALED && (mode & FMODE_WRITE));
}

SEC("lsm/bpf")
int BPF_PROG(guard_bpf, int cmd, union bpf_attr *attr, unsigned int size, hf_maybe_bool kernel) {
  __u64 kind = cmd == BPF_PROG_GET_FD_BY_ID   ? HF_GUARDED_PROGRAM
               : cmd == BPF_MAP_GET_FD_BY_ID  ? HF_GUARDED_MAP
               : cmd == BPF_LINK_GET_FD_BY_ID ? HF_GUARDED_LINK
                                              : 0;
  __u32 id = 0;
  if (!kind) return 0;
  /* `attr` is the kernel's copy. prog_id, map_id and link_id are all at its start. */
  if (bpf_probe_read_kernel(&id, sizeof(id), attr)) return 0;
  if (!is_kept_from(kind, id, 0)) return 0;
  REFUSE(HF_GUARD_BY_ID, id);
}

SEC("lsm/bpf_map")
int BPF_PROG(guard_map, struct bpf_map___mg *map, unsigned int mode) {
  __u32 id = BPF_CORE_READ(map, id);
  if (!is_kept_from(HF_GUARDED_MAP, id, mode)) return 0;
  REFUSE(HF_GUARD_MAP, id);
}

SEC("lsm/bpf_prog")
int BPF_PROG(guard_program, struct bpf_prog___mg *prog) {
  __u32 id = BPF_CORE_READ(prog, aux, id);
  if (!is_kept_from(HF_GUARDED_PROGRAM, id, 0)) return 0;
  REFUSE(HF_GUARD_PROGRAM, id);
}

/* ---- attacks on the daemon ------------------------------------------------------------------------------------- */

/* The service manager and the kernel may end the daemon. Enforcement stays in force then. */
SEC("lsm/task_kill")
int BPF_PROG(guard_kill, struct task_struct *task, struct kernel_siginfo *info, int sig, const struct cred *cred) {
  if (!sig || (__u64)info == SEND_SIG_PRIV || !is_marked((__u64)task)) return 0;
  if (is_init() || is_daemon()) return 0;
  REFUSE(HF_GUARD_SIGNAL, sig);
}

/*
 * No task may trace process 1, because the guard allows it what it refuses to others. PTRACE_MODE_ATTACH is checked by
 * ptrace(2), writes to /proc/PID/mem, process_vm_writev(2) and pidfd_getfd(2). Read-only access needs less.
 */
SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_trace, struct task_struct___mg *task, unsigned int mode) {
  if (!(mode & PTRACE_MODE_ATTACH)) return 0;
  if (BPF_CORE_READ(task, tgid) == INIT_TGID) REFUSE(HF_GUARD_TRACE, mode);
  if (!is_marked((__u64)task) || is_daemon()) return 0;
  REFUSE(HF_GUARD_TRACE, mode);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(guard_limit, struct task_struct *task, unsigned int resource, struct rlimit *new_rlim) {
  if (!is_marked((__u64)task) || is_init() || is_daemon()) return 0;
  REFUSE(HF_GUARD_LIMIT, 0);
}

/*
 * Attached to the root cgroup, so it applies to all tasks. Before Linux 7.3 kernel.ftrace_enabled=0 turns off the
 * programs on fentry and fexit, and lets new ones attach. kernel.cad_pid is the process that gets SIGINT when
 * Ctrl-Alt-Del is pressed, and a virtual device of root can press it (kill_cad_pid()). Returns 1 to allow.
 */
SEC("cgroup/sysctl")
int guard_sysctl(struct bpf_sysctl *ctx) {
  struct hf_name name = {};
  if (!ctx->write) return 1;
  if (bpf_sysctl_get_name(ctx, (char *)name.words, sizeof(name.words), 0) < 0) return 1; /* a longer one */
  if (!HF_SAME(&name, FTRACE_SYSCTL) && !(HF_SAME(&name, CAD_PID_SYSCTL) && is_kept_off())) return 1;
  refuse(HF_GUARD_SYSCTL, 0);
  return 0;
}
