/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What keeps the enforcement itself standing while a session is attached.
 *
 * The confined may be root. They may not kill, stop or starve holdfast or its guardian, nor reach their
 * BPF programs, maps and links by id. Nobody, confined or not, may turn ftrace off: on kernels before 7.3 that
 * silences every BPF LSM program and still lets them attach. The confined type into no terminal. Settings by which
 * the kernel runs a program of the writer's choice as an unconfined task are closed to the confined.
 */
#ifndef HOLDFAST_BPF_RUN_GUARD_BPF_H
#define HOLDFAST_BPF_RUN_GUARD_BPF_H

#include "bpf/run/confined.bpf.h"
#include "bpf/run/run_tasks.bpf.h"
#include "bpf/guard/any_process.bpf.h"
#include "bpf/guard/terminal.bpf.h"
#include "bpf/guard/usermode_helper.bpf.h"
#include "core/decide.h"

SEC("lsm/task_kill")
int BPF_PROG(hf_task_kill, struct task_struct *p, struct kernel_siginfo *info, int sig, const struct cred *cred) {
  struct hf_session *s = hf_session();
  if (!s || !sig || !hf_is_protected(s, p) || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_SIGNAL, sig);
}

/* A limit of processor time would kill just as well. */
SEC("lsm/task_setrlimit")
int BPF_PROG(hf_task_setrlimit, struct task_struct *p, unsigned int resource, struct rlimit *new_rlim) {
  struct hf_session *s = hf_session();
  if (!s || !hf_is_protected(s, p) || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_LIMIT, 0);
}

SEC("lsm/bpf")
int BPF_PROG(hf_bpf, int cmd, union bpf_attr *attr, unsigned int size, hf_maybe_bool kernel) {
  struct hf_session *s = hf_session();
  __u32 first = 0; /* prog_type, prog_id, map_id and link_id all come first */
  bpf_probe_read_kernel(&first, sizeof(first), attr);
  if (cmd == BPF_PROG_LOAD) {
    if (!hf_acts_on_tasks(first) || !is_kept_off()) return 0;
    HF_GUARD_REFUSE(HF_GUARD_ANY_PROCESS, first);
  }
  if (cmd != BPF_PROG_GET_FD_BY_ID && cmd != BPF_MAP_GET_FD_BY_ID && cmd != BPF_LINK_GET_FD_BY_ID) return 0;
  if (!s || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_BY_ID, first);
}

/* ---- programs that the kernel starts: usermode_helper.bpf.h ---------------------------------------------------- */

/* A member whose policy only audits it, or a task held by such a policy, is held by nothing. */
static __noinline int hf_helper_rule(void) {
  __u64 task = bpf_get_current_task();
  const struct hf_member *member = hf_member_of(task);
  const struct hf_session *s = hf_session();
  const struct hf_profile *profile = 0;
  const struct hf_tables *t = hf_tables_at(HF_TABLES_POLICY);
  struct hf_held held = {};
  if (!s || !t) return HF_HELPERS_REFUSED;
  if (!hf_is_confined(s, task)) return HF_HELPERS_FREE;
  if (!member) hf_derive_held(&held, task, HF_NO_PROFILE);
  profile = hf_profile_at(t, member ? member->profile : held.owner);
  return profile && profile->mode == HF_MODE_AUDIT && !held.flags ? HF_HELPERS_AUDITED : HF_HELPERS_REFUSED;
}

static int hf_refusal_tell(__u32 what, __u32 detail, __u32 audited) { return hf_guard_tell(what, detail, audited); }

#define HF_SYSCTL_FTRACE (~0u)
#define HF_SYSCTL_CAD_PID (~1u) /* names the process that Ctrl-Alt-Del signals: kill_cad_pid() */

/* HF_HELPER_*, HF_SYSCTL_*; 0: none of them. A global function: verified once. */
__noinline int hf_meaning_of_sysctl(struct hf_name *name) {
  if (!name) return 0;
  if (HF_SAME(name, "kernel/ftrace_enabled")) return HF_SYSCTL_FTRACE;
  if (HF_SAME(name, "kernel/cad_pid")) return HF_SYSCTL_CAD_PID;
  if (HF_SAME(name, "kernel/core_pattern")) return HF_HELPER_CORE_PATTERN;
  if (HF_SAME(name, "kernel/modprobe")) return HF_HELPER_MODPROBE;
  if (HF_SAME(name, "kernel/hotplug")) return HF_HELPER_UEVENT;
  if (HF_SAME(name, "kernel/poweroff_cmd")) return HF_HELPER_POWEROFF;
  if (HF_SAME(name, "kernel/usermodehelper/bset")) return HF_HELPER_CAPABILITIES;
  if (HF_SAME(name, "kernel/usermodehelper/inheritable")) return HF_HELPER_CAPABILITIES;
  if (HF_SAME(name, "fs/ocfs2/nm/hb_ctl_path")) return HF_HELPER_OCFS2;
  return 0;
}

/*
 * On the root cgroup, so that every task on the machine is below it. Asked at each write, whoever opened the file: the
 * settings of usermode_helper.bpf.h are decided here for descriptors that come from outside. Returns 1 to allow.
 */
SEC("cgroup/sysctl")
int hf_sysctl(struct bpf_sysctl *ctx) {
  struct hf_name name = {};
  int meaning;
  if (!ctx->write) return 1;
  if (bpf_sysctl_get_name(ctx, (char *)name.words, sizeof(name.words), 0) < 0)
    return 1; /* longer than any named here */
  meaning = hf_meaning_of_sysctl(&name);
  if (!meaning) return 1;
  if (meaning == (int)HF_SYSCTL_FTRACE) {
    hf_guard_refuse(HF_GUARD_SYSCTL, 0);
    return 0;
  }
  if (meaning == (int)HF_SYSCTL_CAD_PID) {
    if (!is_kept_off()) return 1;
    hf_guard_refuse(HF_GUARD_SYSCTL, 0);
    return 0;
  }
  return !hf_refuses_helper(meaning);
}

#endif /* HOLDFAST_BPF_RUN_GUARD_BPF_H */
