/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attacks on the enforcement itself, and on objects outside of a run, which every policy refuses. Also the
 * structures that the guard of machine-wide enforcement (bpf/guard/machine_guard.bpf.c) shares with user space.
 */
#ifndef HOLDFAST_CORE_GUARD_H
#define HOLDFAST_CORE_GUARD_H

#include "core/abi.h"

/* The kind of a refused attack. */
#define HF_GUARD_BY_ID 1u            /* opening a program, map or link of holdfast by its id */
#define HF_GUARD_MAP 2u              /* getting a descriptor of a map of holdfast */
#define HF_GUARD_PROGRAM 3u          /* getting a descriptor of a program of holdfast */
#define HF_GUARD_PIN 4u              /* removing, renaming or adding pins */
#define HF_GUARD_UMOUNT 5u           /* unmounting the BPF filesystem */
#define HF_GUARD_SIGNAL 6u           /* a signal to the daemon */
#define HF_GUARD_TRACE 7u            /* tracing it */
#define HF_GUARD_LIMIT 8u            /* changing its resource limits */
#define HF_GUARD_SYSCTL 9u           /* kernel.ftrace_enabled, kernel.cad_pid */
#define HF_GUARD_FILES 10u           /* changing guarded files, their path, or the block device below them */
#define HF_GUARD_MOUNT 11u           /* mounting over guarded files, or moving their mount */
#define HF_GUARD_TERMINAL 12u        /* in a run: inserting input into a terminal */
#define HF_GUARD_MOUNT_NAMESPACE 13u /* in a run with cgroup rules: entering a mount namespace */
#define HF_GUARD_SCHEDULE 14u        /* changing the daemon's scheduling, priorities or memory placement */
#define HF_GUARD_CGROUP 15u      /* moving the daemon to another cgroup, or a limit, freeze or kill of its cgroups */
#define HF_GUARD_PROCESS 16u     /* a write to a file below the daemon's /proc/PID */
#define HF_GUARD_ANY_PROCESS 17u /* in a run: a call that can end or change an arbitrary process */
#define HF_GUARD_HELPER 18u      /* making the kernel start a program; detail: HF_HELPER_* */
#define HF_GUARD_RUNTIME 19u     /* in a container: tracing its runtime, which sets it up */
#define HF_GUARD_COUNT 20u
#define HF_GUARD_KINDS 32u /* array size, with room for more kinds */

/* Interfaces that make the kernel start a program (bpf/guard/usermode_helper.bpf.h) or load code into a device. */
#define HF_HELPER_CORE_PATTERN 1u      /* kernel.core_pattern */
#define HF_HELPER_MODPROBE 2u          /* kernel.modprobe */
#define HF_HELPER_UEVENT 3u            /* kernel.hotplug, /sys/kernel/uevent_helper */
#define HF_HELPER_POWEROFF 4u          /* kernel.poweroff_cmd */
#define HF_HELPER_CAPABILITIES 5u      /* kernel.usermodehelper.bset and .inheritable */
#define HF_HELPER_OCFS2 6u             /* fs.ocfs2.nm.hb_ctl_path */
#define HF_HELPER_RELEASE_AGENT 7u     /* release_agent of a cgroup v1 hierarchy: the file or the mount option */
#define HF_HELPER_NOTIFY_ON_RELEASE 8u /* notify_on_release, which turns it on */
#define HF_HELPER_MACHINE_CHECK 9u     /* machinecheck0/trigger */
#define HF_HELPER_NFS 10u              /* parameters of modules: nfsv4.cache_getent, */
#define HF_HELPER_NFSD 11u             /* nfsd.cltrack_prog, */
#define HF_HELPER_DRBD 12u             /* drbd.usermode_helper */
#define HF_HELPER_UVESAFB 13u          /* uvesafb's v86d */
#define HF_HELPER_FIRMWARE 14u         /* firmware_class.path: not a program, but firmware for devices */
#define HF_HELPER_BINFMT 15u           /* binfmt_misc: an interpreter for programs of other users */
#define HF_HELPER_REQUEST_KEY 16u      /* a key for which the kernel starts /sbin/request-key */
#define HF_HELPER_MODULE 17u           /* a module for which the kernel starts modprobe */
#define HF_HELPER_OTHER 18u            /* any other program */
#define HF_HELPER_COUNT 19u

/* The kind of object of an id: the upper half of a key of guard_ids. */
#define HF_GUARDED_PROGRAM 1ull
#define HF_GUARDED_MAP 2ull
#define HF_GUARDED_LINK 3ull

/* Values of guard_ids: which tasks get a descriptor of the object. */
#define HF_FOR_DAEMON 1u  /* the daemon's tasks */
#define HF_READ_SEALED 2u /* the daemon's tasks; while sealed only read-only descriptors */
#define HF_SHUT_SEALED 3u /* the daemon's tasks; while sealed no task */

/* Values of guard_marked. */
#define HF_DAEMON 1u  /* the task executes holdfastd */
#define HF_SERVING 2u /* it also serves the enforcement of this guard */

/* hf_guarded_dir.how. */
#define HF_GUARDED_ITSELF 1u /* cannot be removed, renamed or mounted over */
#define HF_GUARDED_NAMES 2u  /* also, names in it that begin with holdfastd cannot be changed, added or removed */
#define HF_GUARDED_WHOLE 3u  /* as ITSELF; also, its content cannot be changed (a directory or a file) */
#define HF_GUARDED_STATE 4u  /* as WHOLE, but the serving process can change it even while sealed */

/* The maximum number of guarded mounts; while sealed there can be as many more. */
#define HF_GUARDED_MOUNTS 8u

/* hf_guard_state.claim_refusal: why a BPF program that the daemon ran changed nothing. */
#define HF_CLAIM_SEALED 1u     /* the machine is sealed */
#define HF_CLAIM_FULL 2u       /* a table is full */
#define HF_CLAIM_WRITERS 3u    /* the file is open for writing */
#define HF_CLAIM_ELSEWHERE 4u  /* the path does not lead to the running executable */
#define HF_CLAIM_FILESYSTEM 5u /* files of the filesystem can be changed from elsewhere */

/* Identifies a file, on every filesystem with a unique inode number for each file. */
struct hf_guarded_inode {
  __u64 number;
  __u32 device;
  __u32 seal; /* 0: always guarded; otherwise guarded while hf_guard_state.seals has this value and it is sealed */
};

struct hf_guarded_dir {
  __u32 how;   /* HF_GUARDED_* */
  __u32 what;  /* HF_GUARD_PIN, HF_GUARD_FILES */
  __u64 mount; /* address of its struct vfsmount */
};

struct hf_guard_state {
  __u64 exe_inode;  /* while sealed: the only file whose tasks are the daemon's, */
  __s64 exe_ctime;  /* with its ctime in ns (as precise as the filesystem), */
  __u32 exe_device; /* and its device */
  __u32 sealed;     /* 0: any file of root that is named holdfastd in the home directory makes a daemon */
  __u64 home_inode; /* the directory of the daemon's executable */
  __u32 home_device;
  __u32 claim_fd;                      /* argument of programs that the daemon runs: a descriptor of an object, */
  struct hf_guarded_dir claim;         /* and the guard to record for it */
  __u64 mounts[2 * HF_GUARDED_MOUNTS]; /* addresses of struct vfsmount; the first is that of the pins */
  __u64 refused[HF_GUARD_KINDS];       /* indexed by HF_GUARD_* */
  __u64 lost;                          /* refusals whose event found no room in the ring buffer */
  char secret[128];                    /* the hash of the token by crypt(3); "": there is none */
  __u32 exe_generation;                /* i_generation of the sealed executable */
  __u32 seals;                         /* the number of times it was sealed, which is the number of the current seal */
  __u32 claim_seal;                    /* 1: the claim is for the next seal */
  __u32 claim_refusal;                 /* HF_CLAIM_* */
};

/* A refused attack, in a run or on the machine. In a ring buffer its length distinguishes it from struct hf_event. */
struct hf_guard_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u64 id;      /* unique among these and the ids of decisions */
  __u64 repeats; /* the number of further equal attacks that this event stands for */
  __u32 what;    /* HF_GUARD_* */
  __u32 detail;  /* the id, the signal, the inode number of a file, the ioctl, or HF_HELPER_*; 0: none */
  __u32 audited; /* 1: it was not refused, because the policy only audits the task */
  __u32 pad0;
  __u64 session; /* id of a session that the actor is a member of; 0: none, or not known */
  struct hf_task actor;
};

HF_LAYOUT(sizeof(struct hf_guarded_inode) == 16);
HF_LAYOUT(sizeof(struct hf_guarded_dir) == 16);
HF_LAYOUT(sizeof(struct hf_guard_state) == 592);
HF_AT(hf_guard_state, claim, 40);
HF_AT(hf_guard_state, mounts, 56);
HF_AT(hf_guard_state, secret, 448);
HF_AT(hf_guard_state, exe_generation, 576);
HF_LAYOUT(sizeof(struct hf_guard_event) == 80);
HF_AT(hf_guard_event, what, 24);
HF_AT(hf_guard_event, actor, 48);

#endif /* HOLDFAST_CORE_GUARD_H */
