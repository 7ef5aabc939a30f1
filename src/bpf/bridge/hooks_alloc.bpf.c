// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Asks a bridged namespace_alloc program before a namespace is made.
 *
 * Each program below calls hf_author(). User space replaces that function, which is last, by the author's program, and
 * loads the result (hooks/asking.cc). The context of the author's program is the hook's: a pointer to an ns_common, which
 * has a type and otherwise zeros.
 *
 *   clone, clone3   lsm/task_alloc, with the flags as the kernel uses them
 *   unshare         lsm/capable, which the kernel asks before it makes anything; the flags are in a register. Also
 *                   open_tree and fsmount, where they make a mount namespace
 *   user            lsm/userns_create, whichever call makes it
 *
 * All of them are of type LSM, so the kernel never skips one.
 *
 * unshare(CLONE_NEWCGROUP) asks capable() a second time, inside copy_cgroup_ns(). The author's program must not run again
 * then. A program at the entry of copy_cgroup_ns() marks the task, and the question that follows removes the mark. It
 * always follows, so no mark is left for a later call. If the kernel skips the program, the author's runs again. So what
 * is lost is never a question.
 */
#include "bpf/lib/syscall.bpf.h"

#include <linux/errno.h>

#include <bpf/bpf_core_read.h>

#include "bpf/lib/decision_points.h"
#include "bpf/lib/namespace_types.bpf.h"
#include "bpf/lib/number.bpf.h"
#include "bpf/lib/prototype.bpf.h"

struct task_struct___switches {
  unsigned long nivcsw;
} __attribute__((preserve_access_index));

extern const int bpf_task_storage_busy __ksym __weak;

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load: the program applies only to tasks in the subtree of the cgroup in scope[0]. */
const volatile __u32 hf_limited = 0;
/* Set before load: a look-up in task storage can miss while another task is preempted inside one. */
const volatile __u32 hf_watch_storage = 0;

/* By position in HF_NAMESPACE_POINTS. User space sets the size, and fills it. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_RDONLY_PROG);
  __uint(max_entries, HF_NS_COUNT);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u64));
} not_made SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} scope SEC(".maps");

/* Tasks whose next question has been answered. One too many for the map is asked twice. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u8);
} answered SEC(".maps");

static int hf_author(void *context);

/* 0, or a negative errno. */
static __always_inline int ask(__u32 position) {
  struct {
    void *ns;
    __u64 previous;
  } arguments = {};
  struct task_struct___switches *task = (void *)bpf_get_current_task_btf();
  unsigned long switches = 0;
  arguments.ns = bpf_map_lookup_elem(&not_made, &position);
  if (!arguments.ns) return -EPERM;
  if (hf_watch_storage) {
    const int *busy = &bpf_task_storage_busy ? bpf_this_cpu_ptr(&bpf_task_storage_busy) : NULL;
    if (!busy || *busy) return -EPERM;
    switches = task->nivcsw;
  }
  int verdict = hf_author(&arguments);
  if (hf_watch_storage && *(volatile unsigned long *)&task->nivcsw != switches) return -EPERM;
  if (verdict == 0) return 0;
  if (verdict > 0) return -EPERM;
  asm volatile("" : "+r"(verdict)); /* two comparisons, from which the verifier learns the bounds */
  if (verdict < -HF_MAX_ERRNO) return -EPERM;
  return verdict;
}

/* In the kernel's order, and up to the first refusal. */
static __always_inline int ask_each(__u32 types) {
  int verdict = 0;
  if (hf_limited && bpf_current_task_under_cgroup(&scope, 0) == 0) return 0; /* an error counts as inside */
#define ASK(TYPE, position) \
  if (types & HF_NS_##TYPE) { \
    verdict = ask(position); \
    if (verdict) return verdict; \
  }
  ASK(USER, 3)
  ASK(MNT, 0)
  ASK(UTS, 1)
  ASK(IPC, 2)
  ASK(PID, 4)
  ASK(CGROUP, 6)
  ASK(NET, 5)
  ASK(TIME, 7)
#undef ASK
  return 0;
}

SEC("lsm/capable")
int BPF_PROG(hooks_alloc_call, const struct cred *cred, struct user_namespace *ns, int capability,
             unsigned int options) {
  struct hf_call_args call = {};
  __u32 types = 0;
  if (capability != HF_CAP_SYS_ADMIN) return 0;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_UNSHARE)
    types = hf_types_of_unshare(call.arg[0]) & ~HF_NS_USER;
  else if (hf_mounts_namespace(&call))
    types = HF_NS_MNT;
  if (!types) return 0;
  if (types & HF_NS_CGROUP) {
    __u64 key = (__u64)bpf_get_current_task();
    if (bpf_map_lookup_elem(&answered, &key)) {
      bpf_map_delete_elem(&answered, &key);
      return 0;
    }
  }
  return ask_each(types);
}

SEC("lsm/task_alloc")
int BPF_PROG(hooks_alloc_clone, struct task_struct *task, __u64 clone_flags) {
  __u32 types = hf_types_of_flags(clone_flags) & ~HF_NS_USER;
  if (!types) return 0;
  return ask_each(types);
}

SEC("lsm/userns_create")
int BPF_PROG(hooks_alloc_user, const struct cred *cred) { return ask_each(HF_NS_USER); }

static __always_inline void mark(__u64 flags) {
  struct hf_call_args call = {};
  __u64 key = (__u64)bpf_get_current_task();
  __u8 one = 1;
  if (!(flags & HF_CLONE_NEWCGROUP)) return;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_UNSHARE) bpf_map_update_elem(&answered, &key, &one, BPF_ANY);
}

/* Four, as of everything that the kernel may skip. */
#define MARK(number) \
  SEC("fentry/copy_cgroup_ns") \
  int BPF_PROG(hooks_alloc_mark##number, __u64 flags, struct user_namespace *user_ns, \
               struct cgroup_namespace *old_ns) { \
    mark(flags); \
    return 0; \
  }
MARK(0)
MARK(1)
MARK(2)
MARK(3)

/* Should the second question not have reached the program above: another module of the kernel refused it before. */
SEC("fexit/copy_cgroup_ns")
int BPF_PROG(hooks_alloc_unmark, __u64 flags, struct user_namespace *user_ns, struct cgroup_namespace *old_ns) {
  __u64 key = (__u64)bpf_get_current_task();
  if (flags & HF_CLONE_NEWCGROUP) bpf_map_delete_elem(&answered, &key);
  return 0;
}

/* Opaque to the compiler. Not always inlined, and last. */
static __attribute__((noinline)) int hf_author(void *context) {
  int verdict = 0;
  asm volatile("" : "+r"(context), "+r"(verdict) : : "memory");
  return verdict;
}
