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
 *
 * The same goes, when it is asked for, for the directories of the policy's files and of the daemon's state.
 */
#include "bpf/guard_dirs.bpf.h"
#include "bpf/guard_maps.bpf.h"
#include "bpf/guard_mounts.bpf.h"
#include "bpf/guard_tasks.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SEND_SIG_PRIV 1
#define S_IWOTHERS 022 /* group and all others may write */

/* Not static: the compiler would dissolve them, and leave a type for a section that is not there. */
const char kDaemonName[] = "holdfastd";
const char kFtraceSysctl[] = "kernel/ftrace_enabled";
const char kCadPid[] = "kernel/cad_pid";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u8);
} guard_ids SEC(".maps");

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

/* Sealed: that very file. Else one that whoever may install programs has put where the last one was. */
static int is_daemon_file(struct file___mg *file) {
  struct inode___mg *inode = BPF_CORE_READ(file, f_inode);
  struct inode___mg *home = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);
  struct hf_guard_state *s = state();
  if (!s) return 0;
  if (s->sealed)
    return BPF_CORE_READ(inode, i_ino) == s->exe_inode && BPF_CORE_READ(inode, i_sb, s_dev) == s->exe_device &&
           ctime_of(inode) == s->exe_ctime;
  if (BPF_CORE_READ(home, i_ino) != s->home_inode || BPF_CORE_READ(home, i_sb, s_dev) != s->home_device) return 0;
  if (BPF_CORE_READ(inode, i_uid.val) != 0 || (BPF_CORE_READ(inode, i_mode) & S_IWOTHERS)) return 0;
  return is_named_holdfastd(file);
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

/* Run once by the daemon that loads this, with its executable: it began before anybody could note it. */
SEC("syscall")
int guard_claim(void *unused) {
  __u64 current = bpf_get_current_task();
  struct hf_guard_state *s = state();
  struct file___mg *file;
  struct inode___mg *home;
  __u8 one = 1;
  if (!s) return 1;
  file = claimed_file(s);
  if (!file) return 1;
  home = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);
  s->home_inode = BPF_CORE_READ(home, i_ino);
  s->home_device = BPF_CORE_READ(home, i_sb, s_dev);
  return bpf_map_update_elem(&guard_marked, &current, &one, BPF_ANY) != 0;
}

/* The file that the calling process executes becomes the only one. */
SEC("syscall")
int guard_seal(void *unused) {
  struct hf_guard_state *s = state();
  struct file___mg *file;
  struct inode___mg *inode;
  if (!s) return 1;
  file = claimed_file(s);
  if (!file) return 1;
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

/* ---- the daemon
 * --------------------------------------------------------------------------------------- */

/* The service manager may end it; that ends no enforcement. So may the kernel. */
SEC("lsm/task_kill")
int BPF_PROG(guard_kill, void *task, void *info, int sig) {
  if (!sig || (__u64)info == SEND_SIG_PRIV || !is_marked((__u64)task)) return 0;
  if (is_init() || is_daemon()) return 0;
  REFUSE(HF_GUARD_SIGNAL, sig);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_trace, void *task, unsigned int mode) {
  if (!(mode & 2) || !is_marked((__u64)task) || is_daemon()) return 0; /* PTRACE_MODE_ATTACH */
  REFUSE(HF_GUARD_TRACE, mode);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(guard_limit, void *task) {
  if (!is_marked((__u64)task) || is_init() || is_daemon()) return 0;
  REFUSE(HF_GUARD_LIMIT, 0);
}

/*
 * On the root cgroup, so that every task on the machine is below it. Before 7.3 kernel.ftrace_enabled=0
 * silences every program here and lets new ones attach. kernel.cad_pid says which process gets a SIGINT when
 * Ctrl-Alt-Del is pressed, which a device of root's own can do (kill_cad_pid()). Returns 1 to allow.
 */
SEC("cgroup/sysctl")
int guard_sysctl(struct bpf_sysctl *ctx) {
  char name[sizeof(kFtraceSysctl) + 1] = {};
  int silences = 1, signals = 1;
  if (!ctx->write) return 1;
  if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) < 0) return 1; /* a longer one */
  for (__u32 i = 0; i < sizeof(kFtraceSysctl); i++) {
    silences = silences && name[i] == kFtraceSysctl[i];
    if (i < sizeof(kCadPid)) signals = signals && name[i] == kCadPid[i];
  }
  if (!silences && !(signals && is_kept_off())) return 1;
  refuse(HF_GUARD_SYSCTL, 0);
  return 0;
}
