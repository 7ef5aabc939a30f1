/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attempts on the enforcement itself, and what the guard of machine-wide enforcement (bpf/machine_guard.bpf.c) shares
 * with user space.
 */
#ifndef HOLDFAST_CORE_GUARD_H
#define HOLDFAST_CORE_GUARD_H

#include "core/abi.h"

/* What was refused. */
#define HF_GUARD_BY_ID 1u   /* a program, map or link of ours by its id */
#define HF_GUARD_MAP 2u     /* a descriptor of a map of ours */
#define HF_GUARD_PROGRAM 3u /* a descriptor of a program of ours */
#define HF_GUARD_PIN 4u     /* removing, renaming or adding pins */
#define HF_GUARD_UMOUNT 5u  /* taking the BPF filesystem away */
#define HF_GUARD_SIGNAL 6u  /* a signal to the daemon; in a run, to holdfast or its guardian */
#define HF_GUARD_TRACE 7u   /* tracing it */
#define HF_GUARD_LIMIT 8u   /* changing its resource limits */
#define HF_GUARD_SYSCTL 9u  /* kernel.ftrace_enabled, kernel.cad_pid */
#define HF_GUARD_FILES 10u  /* a change of a policy's files, of the state, or of where they are */
#define HF_GUARD_MOUNT 11u  /* mounting over them, or moving what they are on */

#define HF_GUARD_SCHEDULE 12u    /* its scheduling, its priorities, where its memory lies */
#define HF_GUARD_CGROUP 13u      /* moving it to another cgroup, or a limit, freeze or kill of one that it is in */
#define HF_GUARD_PROCESS 14u     /* a write to a file below its /proc/PID */
#define HF_GUARD_ANY_PROCESS 15u /* in a run: what ends or changes whatever process the caller chooses */
#define HF_GUARD_COUNT 16u
#define HF_GUARD_KINDS 16u /* with room for more */

/* Kinds of what an id belongs to, the upper half of a key of guard_ids. */
#define HF_GUARDED_PROGRAM 1ull
#define HF_GUARDED_MAP 2ull
#define HF_GUARDED_LINK 3ull

/* hf_guarded_dir.how */
#define HF_GUARDED_ITSELF 1u /* may not be removed, renamed, or mounted over */
#define HF_GUARDED_WHOLE 2u  /* nor may anything in it be changed, added or removed */

#define HF_GUARDED_MOUNTS 8u /* mounts that guarded directories lie on */

/* Which file, on every filesystem that gives each its own number. */
struct hf_guarded_inode {
  __u64 number;
  __u32 device;
  __u32 pad0;
};

struct hf_guarded_dir {
  __u32 how;   /* HF_GUARDED_* */
  __u32 what;  /* HF_GUARD_PIN, HF_GUARD_FILES */
  __u64 mount; /* address of the struct vfsmount it was found on */
};

struct hf_guard_state {
  __u64 exe_inode;  /* sealed: the one file that makes a task the daemon's, */
  __s64 exe_ctime;  /* unchanged since, in seconds, */
  __u32 exe_device; /* on this device */
  __u32 sealed;     /* 0: any file of root's that is named holdfastd in the directory below */
  __u64 home_inode; /* where the daemon's executable lies */
  __u32 home_device;
  __u32 claim_fd;                  /* for programs that the daemon runs: a descriptor of what it is about, */
  struct hf_guarded_dir claim;     /* and what is to be recorded of it */
  __u64 mounts[HF_GUARDED_MOUNTS]; /* addresses of struct vfsmount; 0 ends */
  __u64 refused[HF_GUARD_KINDS];   /* by HF_GUARD_* */
  __u64 lost;                      /* refusals that did not fit the ring */
  char secret[128];                /* of the break-glass token, as crypt(3) made it; "": there is none */
};

/* Of a run, of the machine's programs and of its guard. It is told from a struct hf_event by its length. */
struct hf_guard_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u64 id;      /* unique beside the ids of decisions */
  __u64 repeats; /* further identical attempts folded into this one */
  __u32 what;    /* HF_GUARD_* */
  __u32 detail;  /* the id, the signal, of files the inode number; 0: nothing to add */
  struct hf_task actor;
};

HF_LAYOUT(sizeof(struct hf_guarded_inode) == 16);
HF_LAYOUT(sizeof(struct hf_guarded_dir) == 16);
HF_LAYOUT(sizeof(struct hf_guard_state) == 384);
HF_AT(hf_guard_state, claim, 40);
HF_AT(hf_guard_state, mounts, 56);
HF_AT(hf_guard_state, secret, 256);
HF_LAYOUT(sizeof(struct hf_guard_event) == 64);
HF_AT(hf_guard_event, what, 24);
HF_AT(hf_guard_event, actor, 32);

#endif /* HOLDFAST_CORE_GUARD_H */
