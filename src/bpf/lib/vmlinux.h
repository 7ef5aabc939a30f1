/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as holdfast reads them: a hand-written subset with the kernel's own names.
 *
 * Offsets here mean nothing. Every access is recorded (preserve_access_index) and libbpf patches in the
 * running kernel's offset, or refuses the program when a field is gone. A field that only some kernels
 * have is read under bpf_core_field_exists().
 *
 * What holdfast itself defines (map values, events) must stay out of this file: it has fixed offsets.
 */
#ifndef HOLDFAST_BPF_LIB_VMLINUX_H
#define HOLDFAST_BPF_LIB_VMLINUX_H

#include <linux/bpf.h>
#include <linux/types.h>

typedef _Bool bool;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  unsigned int val;
} kuid_t;

struct ns_common {
  __u32 ns_type; /* 6.18 and later: CLONE_NEW* */
  unsigned int inum;
  __u64 ns_id; /* 6.18 and later: never reused */
};

typedef struct {
  __u64 val;
} kernel_cap_t;

struct user_namespace {
  struct user_namespace *parent;
  int level;
  kuid_t owner;
  struct ns_common ns;
};

struct uts_namespace {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct ipc_namespace {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct mnt_namespace {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct pid_namespace {
  struct pid_namespace *parent;
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct net {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct time_namespace {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct cgroup_namespace {
  struct user_namespace *user_ns;
  struct ns_common ns;
};

struct nsproxy {
  struct uts_namespace *uts_ns;
  struct ipc_namespace *ipc_ns;
  struct mnt_namespace *mnt_ns;
  struct pid_namespace *pid_ns_for_children;
  struct net *net_ns;
  struct time_namespace *time_ns;
  struct time_namespace *time_ns_for_children;
  struct cgroup_namespace *cgroup_ns;
};

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct cred {
  kuid_t uid;
  kuid_t suid;
  kuid_t euid;
  kuid_t fsuid;
  kernel_cap_t cap_permitted;
  struct user_namespace *user_ns;
};

struct thread_info {
  __u32 status;
};

struct kernfs_node {
  __u64 id;
  void *priv;
};

struct cgroup {
  int level;
  struct kernfs_node *kn;
  struct cgroup *ancestors[0];
};

struct css_set {
  struct cgroup *dfl_cgrp;
};

struct super_block {
  unsigned long s_magic;
};

struct file {
  struct inode *f_inode;
  void *private_data;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};

typedef struct {
  int counter;
} atomic_t;

struct files_struct {
  atomic_t count;
  struct fdtable *fdt;
};

struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  int pid;
  int tgid;
  unsigned long atomic_flags;
  struct task_struct *group_leader;
  struct pid *thread_pid;
  const struct cred *real_cred;
  const struct cred *cred;
  char comm[16];
  struct nsproxy *nsproxy;
  struct files_struct *files;
  struct css_set *cgroups;
};

struct pt_regs {
  unsigned long bx;
  unsigned long cx;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
};

struct sock_common {
  unsigned short skc_family;
};

struct sock {
  struct sock_common __sk_common;
  __u16 sk_type;
  struct socket *sk_socket;
};

struct socket {
  struct sock *sk;
  struct file *file;
};

struct list_head {
  struct list_head *next;
};

struct simple_xattr {
  struct list_head node; /* 7.1 and later */
  char *name;
  __u64 size; /* size_t */
  char value[];
};

struct unix_sock {
  struct sock *peer;
};

struct msghdr {
  unsigned int msg_flags;
};

struct inode {
  unsigned short i_mode;
  struct super_block *i_sb;
  void *i_private;
};

struct socket_alloc {
  struct socket socket;
  struct inode vfs_inode;
};

struct sockfs_inode { /* 7.1 and later */
  struct list_head xattrs;
  struct socket socket; /* of an unnamed socket_alloc */
};

struct dentry {
  struct inode *d_inode;
};

struct bpf_token;

struct bpf_map {
  enum bpf_map_type map_type;
  __u32 key_size;
  __u32 value_size;
  __u32 max_entries;
};

struct bpf_prog {
  enum bpf_prog_type type;
};

struct bpf_link {
  enum bpf_link_type type;
};

struct bpf_cgroup_link {
  struct bpf_link link;
  struct cgroup *cgroup;
};

struct nsset;
struct kernel_siginfo;
struct seq_file;

struct bpf_iter_meta {
  struct seq_file *seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

#pragma clang attribute pop

#endif /* HOLDFAST_BPF_LIB_VMLINUX_H */
