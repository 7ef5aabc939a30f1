// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that do nothing: for two hooks that have to be bridged, and for the native ones that
 * enforce them. What a bridge costs is measured between the two.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("?lsm.s/namespace_install")
int bridged_install(void* ctx) { return 0; }

SEC("?lsm.s/cgroup_attach")
int bridged_attach(void* ctx) { return 0; }

SEC("?lsm/capable")
int floor_install(void* ctx) { return 0; }

SEC("?lsm/inode_permission")
int floor_attach(void* ctx) { return 0; }
