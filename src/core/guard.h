/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attempts on the enforcement itself or on what is outside of it, which no policy allows, and what the guard of
 * machine-wide enforcement (bpf/guard/machine_guard.bpf.c) shares with user space.
 */
#ifndef HOLDFAST_CORE_GUARD_H
#define HOLDFAST_CORE_GUARD_H

#include "core/abi.h"

/* What was refused. */
#define HF_GUARD_BY_ID 1u            /* a program, map or link of ours by its id */
#define HF_GUARD_MAP 2u              /* a descriptor of a map of ours */
#define HF_GUARD_PROGRAM 3u          /* a descriptor of a program of ours */
#define HF_GUARD_PIN 4u              /* removing, renaming or adding pins */
#define HF_GUARD_UMOUNT 5u           /* taking the BPF filesystem away */
#define HF_GUARD_SIGNAL 6u           /* a signal to the daemon; in a run, to holdfast or its guardian */
#define HF_GUARD_TRACE 7u            /* tracing it */
#define HF_GUARD_LIMIT 8u            /* changing its resource limits */
#define HF_GUARD_SYSCTL 9u           /* kernel.ftrace_enabled, kernel.cad_pid */
#define HF_GUARD_FILES 10u           /* a change of guarded files, of where they are, or of the disk below them */
#define HF_GUARD_MOUNT 11u           /* mounting over them, or moving what they are on */
#define HF_GUARD_TERMINAL 12u        /* in a run: typing into a terminal */
#define HF_GUARD_MOUNT_NAMESPACE 13u /* in a run that keeps cgroups: entering another one, where they may be writable */
#define HF_GUARD_SCHEDULE 14u        /* its scheduling, its priorities, where its memory lies */
#define HF_GUARD_CGROUP 15u          /* moving it to another cgroup, or a limit, freeze or kill of one that it is in */
#define HF_GUARD_PROCESS 16u         /* a write to a file below its /proc/PID */
#define HF_GUARD_ANY_PROCESS 17u     /* in a run: what ends or changes whatever process the caller chooses */
#define HF_GUARD_HELPER 18u          /* making the kernel start a program; detail: HF_HELPER_* */
#define HF_GUARD_COUNT 19u
#define HF_GUARD_KINDS 32u /* with room for more */

/* What makes the kernel start a program outside (bpf/guard/usermode_helper.bpf.h), or hand code to a device. */
#define HF_HELPER_CORE_PATTERN 1u      /* kernel.core_pattern */
#define HF_HELPER_MODPROBE 2u          /* kernel.modprobe */
#define HF_HELPER_UEVENT 3u            /* kernel.hotplug, /sys/kernel/uevent_helper */
#define HF_HELPER_POWEROFF 4u          /* kernel.poweroff_cmd */
#define HF_HELPER_CAPABILITIES 5u      /* kernel.usermodehelper.bset and .inheritable */
#define HF_HELPER_OCFS2 6u             /* fs.ocfs2.nm.hb_ctl_path */
#define HF_HELPER_RELEASE_AGENT 7u     /* of a cgroup hierarchy of version 1: the file, the mount option */
#define HF_HELPER_NOTIFY_ON_RELEASE 8u /* its switch */
#define HF_HELPER_MACHINE_CHECK 9u     /* machinecheck0/trigger */
#define HF_HELPER_NFS 10u              /* parameters of modules: nfsv4.cache_getent, */
#define HF_HELPER_NFSD 11u             /* nfsd.cltrack_prog, */
#define HF_HELPER_DRBD 12u             /* drbd.usermode_helper */
#define HF_HELPER_UVESAFB 13u          /* uvesafb's v86d */
#define HF_HELPER_FIRMWARE 14u         /* firmware_class.path: no program, but what devices run */
#define HF_HELPER_BINFMT 15u           /* an interpreter of other people's programs */
#define HF_HELPER_REQUEST_KEY 16u      /* a key that /sbin/request-key is asked for */
#define HF_HELPER_MODULE 17u           /* a module that modprobe is asked for */
#define HF_HELPER_OTHER 18u            /* any other program that a task has the kernel start */
#define HF_HELPER_COUNT 19u

/* Kinds of what an id belongs to, the upper half of a key of guard_ids. */
#define HF_GUARDED_PROGRAM 1ull
#define HF_GUARDED_MAP 2ull
#define HF_GUARDED_LINK 3ull

/* Values of guard_ids: who gets a descriptor. */
#define HF_FOR_DAEMON 1u  /* the daemon's tasks */
#define HF_READ_SEALED 2u /* the same; sealed, none that can write */
#define HF_SHUT_SEALED 3u /* the same; sealed, nobody */

/* Values of guard_marked. */
#define HF_DAEMON 1u  /* executes holdfastd */
#define HF_SERVING 2u /* and serves what this guard keeps */

/* hf_guarded_dir.how; a larger number includes the smaller ones, but for the names. */
#define HF_GUARDED_ITSELF 1u /* may not be removed, renamed, or mounted over */
#define HF_GUARDED_NAMES 2u  /* nor may names in it that begin with holdfastd be changed, added or removed */
#define HF_GUARDED_WHOLE 3u  /* nor may anything in it, or of it when it is a file */
#define HF_GUARDED_STATE 4u  /* the same; the process that serves changes it also when it is sealed */

/* Mounts that what is guarded lies on: so many always, and as many more while it is sealed. */
#define HF_GUARDED_MOUNTS 8u

/* hf_guard_state.claim_refusal: why a program that the daemon ran did nothing. */
#define HF_CLAIM_SEALED 1u     /* it is sealed */
#define HF_CLAIM_FULL 2u       /* a table is full */
#define HF_CLAIM_WRITERS 3u    /* somebody has the file open for writing */
#define HF_CLAIM_ELSEWHERE 4u  /* the executable is not where its path says */
#define HF_CLAIM_FILESYSTEM 5u /* its filesystem shows files that can be changed elsewhere */

/* Which file, on every filesystem that gives each its own number. */
struct hf_guarded_inode {
  __u64 number;
  __u32 device;
  __u32 seal; /* 0: always guarded; else while this seal is on: hf_guard_state.seals */
};

struct hf_guarded_dir {
  __u32 how;   /* HF_GUARDED_* */
  __u32 what;  /* HF_GUARD_PIN, HF_GUARD_FILES */
  __u64 mount; /* address of the struct vfsmount it was found on */
};

struct hf_guard_state {
  __u64 exe_inode;  /* sealed: the one file that makes a task the daemon's, */
  __s64 exe_ctime;  /* unchanged since, in ns as far as the filesystem goes, */
  __u32 exe_device; /* on this device */
  __u32 sealed;     /* 0: any file of root's that is named holdfastd in the directory below */
  __u64 home_inode; /* where the daemon's executable lies */
  __u32 home_device;
  __u32 claim_fd;                      /* for programs that the daemon runs: a descriptor of what it is about, */
  struct hf_guarded_dir claim;         /* and what is to be recorded of it */
  __u64 mounts[2 * HF_GUARDED_MOUNTS]; /* addresses of struct vfsmount; the first is the pins' */
  __u64 refused[HF_GUARD_KINDS];       /* by HF_GUARD_* */
  __u64 lost;                          /* refusals that did not fit the ring */
  char secret[128];                    /* of the break-glass token, as crypt(3) made it; "": there is none */
  __u32 exe_generation;                /* i_generation of the sealed executable */
  __u32 seals;                         /* how often it was sealed; the number of the seal that is on */
  __u32 claim_seal;                    /* is the claim for the seal that is about to be put on? */
  __u32 claim_refusal;                 /* HF_CLAIM_* */
};

/* Of a run, of the machine's programs and of its guard. It is told from a struct hf_event by its length. */
struct hf_guard_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u64 id;      /* unique beside the ids of decisions */
  __u64 repeats; /* further identical attempts folded into this one */
  __u32 what;    /* HF_GUARD_* */
  __u32 detail;  /* the id, the signal, of files the inode number, the ioctl, HF_HELPER_*; 0: nothing to add */
  __u32 audited; /* 1: it went through, since a policy only audits the task */
  __u32 pad0;
  struct hf_task actor;
};

HF_LAYOUT(sizeof(struct hf_guarded_inode) == 16);
HF_LAYOUT(sizeof(struct hf_guarded_dir) == 16);
HF_LAYOUT(sizeof(struct hf_guard_state) == 592);
HF_AT(hf_guard_state, claim, 40);
HF_AT(hf_guard_state, mounts, 56);
HF_AT(hf_guard_state, secret, 448);
HF_AT(hf_guard_state, exe_generation, 576);
HF_LAYOUT(sizeof(struct hf_guard_event) == 72);
HF_AT(hf_guard_event, what, 24);
HF_AT(hf_guard_event, actor, 40);

#endif /* HOLDFAST_CORE_GUARD_H */
