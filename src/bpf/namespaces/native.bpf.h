/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernels that ask LSM programs about namespaces (Linux 7.4). These programs take the place of captures.bpf.h, of
 * records.bpf.h and of ns_capable there. The kernel never skips a program of type LSM, so each is attached once.
 *
 *   namespace_install   setns(), before each install, and before the kernel's own checks. The target is an argument
 *   namespace_init      every new namespace, when it has its number and before anybody can enter it. Decided is what
 *                       neither ns_userns_create nor the program on task_alloc has decided before. It was proposed as
 *                       namespace_alloc
 *   namespace_free      the end of each
 */
#ifndef HOLDFAST_BPF_NAMESPACES_NATIVE_BPF_H
#define HOLDFAST_BPF_NAMESPACES_NATIVE_BPF_H

#include "bpf/namespaces/decisions.bpf.h"
#include "bpf/namespaces/records.bpf.h"

/* The kernel's list of its hooks. */
union security_list_options___ns {
  void *namespace_install;
  void *namespace_init;
  void *namespace_alloc;
  void *namespace_free;
} __attribute__((preserve_access_index));

/* A constant to the verifier. User space attaches these programs exactly where this is true (selection.h). */
static __always_inline int kernel_asks_natively(void) {
  union security_list_options___ns *hooks = 0;
  return bpf_core_field_exists(hooks->namespace_install) && bpf_core_field_exists(hooks->namespace_free) &&
         (bpf_core_field_exists(hooks->namespace_init) || bpf_core_field_exists(hooks->namespace_alloc));
}

/* Whether it is plain that the current task may enter the namespace of that number. Counts the decision. Of the object. */
static int enters_freely(__u32 inum);

SEC("lsm/namespace_install")
int BPF_PROG(ns_native_install, const struct nsset *nsset, struct ns_common *ns) {
  struct hf_operation o;
  if (!rules_namespaces() || enters_freely(ns->inum)) return 0;
  __builtin_memset(&o, 0, sizeof(o));
  o.task = bpf_get_current_task();
  o.op = HF_OP_NAMESPACE_INSTALL;
  o.via = HF_VIA_SETNS;
  o.ns_types = hf_types_of_flags(ns->ns_type);
  o.target = ns->inum;
  o.entered = hf_number(ns);
  o.flags = HF_REQ_TARGET_KNOWN;
  o.begun = 1;
  return hf_answer(ask_layers(&o));
}

/* A frame of its own. Not 0: refused. */
static __noinline int ask_init(__u32 type) {
  struct hf_operation o = {};
  struct hf_call_args call = {};
  hf_read_call(&call);
  /* The whole of the call has been decided, in the parent. */
  if (call.syscall == HF_SYSCALL_CLONE || call.syscall == HF_SYSCALL_CLONE3) return 0;
  if (type == HF_NS_USER) return 0; /* ns_userns_create */
  if (call.syscall == HF_SYSCALL_UNSHARE)
    begin_unshare(&o, call.arg[0]);
  else
    begin_creation(&o, HF_VIA_MOUNT, type, HF_REPORT);
  o.task = bpf_get_current_task();
  return ask_layers(&o);
}

static __always_inline int note_initialized(const struct ns_common *ns) {
  __u32 type = hf_types_of_flags(ns->ns_type);
  if (!rules_namespaces() || is_nobody_now() || ns->inum == HF_ANONYMOUS_MOUNTS_INUM) return 0;
  if (ask_init(type)) return hf_answer(1);
  note_made(hf_number(ns), type);
  return 0;
}

/* One of these two. */
SEC("lsm/namespace_init")
int BPF_PROG(ns_native_init, struct ns_common *ns) { return note_initialized(ns); }

SEC("lsm/namespace_alloc")
int BPF_PROG(ns_native_alloc, struct ns_common *ns) { return note_initialized(ns); }

SEC("lsm/namespace_free")
int BPF_PROG(ns_native_free, struct ns_common *ns) {
  if (ns->inum != HF_ANONYMOUS_MOUNTS_INUM) untrack(ns->inum);
  return 0;
}

#endif /* HOLDFAST_BPF_NAMESPACES_NATIVE_BPF_H */
