/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the guard of machine-wide enforcement (bpf/machine_guard.bpf.c) shares with user space. */
#ifndef HOLDFAST_CORE_GUARD_H
#define HOLDFAST_CORE_GUARD_H

#include "core/abi.h"

/* What was refused. */
#define HF_GUARD_BY_ID 1u   /* a program, map or link of ours by its id */
#define HF_GUARD_MAP 2u     /* a descriptor of a map of ours */
#define HF_GUARD_PROGRAM 3u /* a descriptor of a program of ours */
#define HF_GUARD_PIN 4u     /* removing, renaming or adding pins */
#define HF_GUARD_UMOUNT 5u  /* taking the BPF filesystem away */
#define HF_GUARD_SIGNAL 6u  /* a signal to the daemon */
#define HF_GUARD_TRACE 7u   /* tracing it */
#define HF_GUARD_LIMIT 8u   /* changing its resource limits */
#define HF_GUARD_SYSCTL 9u  /* kernel.ftrace_enabled */
#define HF_GUARD_COUNT 10u

/* Kinds of what an id belongs to, the upper half of a key of guard_ids. */
#define HF_GUARDED_PROGRAM 1ull
#define HF_GUARDED_MAP 2ull
#define HF_GUARDED_LINK 3ull

/* Values of guard_dirs, by inode number. */
#define HF_GUARDED_ITSELF 1u /* may not be removed or renamed */
#define HF_GUARDED_WHOLE 2u  /* nor may anything be added to it or removed from it */

struct hf_guard_state {
  __u64 exe_inode;  /* sealed: the one file that makes a task the daemon's, */
  __s64 exe_ctime;  /* unchanged since, in seconds, */
  __u32 exe_device; /* on this device. Not sealed: any file of root's that is named holdfastd */
  __u32 sealed;
  __u32 pins_device;
  __u32 claim_fd; /* for hf_guard_claim: a descriptor on the BPF filesystem */
  __u64 mount;    /* address of that filesystem's struct vfsmount; 0: unknown */
  __u64 refused;
  __u64 lost;       /* refusals that did not fit the ring */
  char secret[128]; /* of the break-glass token, as crypt(3) made it; "": there is none */
};

struct hf_guard_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u32 what;    /* HF_GUARD_* */
  __u32 detail;  /* the id, the signal; 0: nothing to add */
  struct hf_task actor;
};

HF_LAYOUT(sizeof(struct hf_guard_state) == 184);
HF_AT(hf_guard_state, mount, 32);
HF_AT(hf_guard_state, secret, 56);
HF_LAYOUT(sizeof(struct hf_guard_event) == 48);

#endif /* HOLDFAST_CORE_GUARD_H */
