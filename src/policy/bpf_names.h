// SPDX-License-Identifier: Apache-2.0
// The kernel's words for its BPF commands, map types, program types and attach types, with their
// numbers.
//
// They are the enumerators of <linux/bpf.h> without prefix, in lower case, and so what the kernel
// prints for a bpffs with delegation (kernel/bpf/inode.c). The numbers are ABI and never change; a
// table of our own, because the header of the machine that builds may be older than the kernel that
// enforces.
#ifndef HOLDFAST_POLICY_BPF_NAMES_H
#define HOLDFAST_POLICY_BPF_NAMES_H

#include "policy/names.h"

namespace holdfast::policy {

// enum bpf_cmd
inline constexpr std::array<Name, 38> kBpfCommandNames = {{
    {0, "map_create"},
    {1, "map_lookup_elem"},
    {2, "map_update_elem"},
    {3, "map_delete_elem"},
    {4, "map_get_next_key"},
    {5, "prog_load"},
    {6, "obj_pin"},
    {7, "obj_get"},
    {8, "prog_attach"},
    {9, "prog_detach"},
    {10, "prog_test_run"},
    {11, "prog_get_next_id"},
    {12, "map_get_next_id"},
    {13, "prog_get_fd_by_id"},
    {14, "map_get_fd_by_id"},
    {15, "obj_get_info_by_fd"},
    {16, "prog_query"},
    {17, "raw_tracepoint_open"},
    {18, "btf_load"},
    {19, "btf_get_fd_by_id"},
    {20, "task_fd_query"},
    {21, "map_lookup_and_delete_elem"},
    {22, "map_freeze"},
    {23, "btf_get_next_id"},
    {24, "map_lookup_batch"},
    {25, "map_lookup_and_delete_batch"},
    {26, "map_update_batch"},
    {27, "map_delete_batch"},
    {28, "link_create"},
    {29, "link_update"},
    {30, "link_get_fd_by_id"},
    {31, "link_get_next_id"},
    {32, "enable_stats"},
    {33, "iter_create"},
    {34, "link_detach"},
    {35, "prog_bind_map"},
    {36, "token_create"},
    {37, "prog_stream_read_by_fd"},
}};

// enum bpf_map_type
inline constexpr std::array<Name, 35> kBpfMapNames = {{
    {0, "unspec"},
    {1, "hash"},
    {2, "array"},
    {3, "prog_array"},
    {4, "perf_event_array"},
    {5, "percpu_hash"},
    {6, "percpu_array"},
    {7, "stack_trace"},
    {8, "cgroup_array"},
    {9, "lru_hash"},
    {10, "lru_percpu_hash"},
    {11, "lpm_trie"},
    {12, "array_of_maps"},
    {13, "hash_of_maps"},
    {14, "devmap"},
    {15, "sockmap"},
    {16, "cpumap"},
    {17, "xskmap"},
    {18, "sockhash"},
    {19, "cgroup_storage"},
    {20, "reuseport_sockarray"},
    {21, "percpu_cgroup_storage"},
    {22, "queue"},
    {23, "stack"},
    {24, "sk_storage"},
    {25, "devmap_hash"},
    {26, "struct_ops"},
    {27, "ringbuf"},
    {28, "inode_storage"},
    {29, "task_storage"},
    {30, "bloom_filter"},
    {31, "user_ringbuf"},
    {32, "cgrp_storage"},
    {33, "arena"},
    {34, "insn_array"},
}};

// enum bpf_prog_type
inline constexpr std::array<Name, 33> kBpfProgramNames = {{
    {0, "unspec"},
    {1, "socket_filter"},
    {2, "kprobe"},
    {3, "sched_cls"},
    {4, "sched_act"},
    {5, "tracepoint"},
    {6, "xdp"},
    {7, "perf_event"},
    {8, "cgroup_skb"},
    {9, "cgroup_sock"},
    {10, "lwt_in"},
    {11, "lwt_out"},
    {12, "lwt_xmit"},
    {13, "sock_ops"},
    {14, "sk_skb"},
    {15, "cgroup_device"},
    {16, "sk_msg"},
    {17, "raw_tracepoint"},
    {18, "cgroup_sock_addr"},
    {19, "lwt_seg6local"},
    {20, "lirc_mode2"},
    {21, "sk_reuseport"},
    {22, "flow_dissector"},
    {23, "cgroup_sysctl"},
    {24, "raw_tracepoint_writable"},
    {25, "cgroup_sockopt"},
    {26, "tracing"},
    {27, "struct_ops"},
    {28, "ext"},
    {29, "lsm"},
    {30, "sk_lookup"},
    {31, "syscall"},
    {32, "netfilter"},
}};

// enum bpf_attach_type
inline constexpr std::array<Name, 58> kBpfAttachNames = {{
    {0, "cgroup_inet_ingress"},
    {1, "cgroup_inet_egress"},
    {2, "cgroup_inet_sock_create"},
    {3, "cgroup_sock_ops"},
    {4, "sk_skb_stream_parser"},
    {5, "sk_skb_stream_verdict"},
    {6, "cgroup_device"},
    {7, "sk_msg_verdict"},
    {8, "cgroup_inet4_bind"},
    {9, "cgroup_inet6_bind"},
    {10, "cgroup_inet4_connect"},
    {11, "cgroup_inet6_connect"},
    {12, "cgroup_inet4_post_bind"},
    {13, "cgroup_inet6_post_bind"},
    {14, "cgroup_udp4_sendmsg"},
    {15, "cgroup_udp6_sendmsg"},
    {16, "lirc_mode2"},
    {17, "flow_dissector"},
    {18, "cgroup_sysctl"},
    {19, "cgroup_udp4_recvmsg"},
    {20, "cgroup_udp6_recvmsg"},
    {21, "cgroup_getsockopt"},
    {22, "cgroup_setsockopt"},
    {23, "trace_raw_tp"},
    {24, "trace_fentry"},
    {25, "trace_fexit"},
    {26, "modify_return"},
    {27, "lsm_mac"},
    {28, "trace_iter"},
    {29, "cgroup_inet4_getpeername"},
    {30, "cgroup_inet6_getpeername"},
    {31, "cgroup_inet4_getsockname"},
    {32, "cgroup_inet6_getsockname"},
    {33, "xdp_devmap"},
    {34, "cgroup_inet_sock_release"},
    {35, "xdp_cpumap"},
    {36, "sk_lookup"},
    {37, "xdp"},
    {38, "sk_skb_verdict"},
    {39, "sk_reuseport_select"},
    {40, "sk_reuseport_select_or_migrate"},
    {41, "perf_event"},
    {42, "trace_kprobe_multi"},
    {43, "lsm_cgroup"},
    {44, "struct_ops"},
    {45, "netfilter"},
    {46, "tcx_ingress"},
    {47, "tcx_egress"},
    {48, "trace_uprobe_multi"},
    {49, "cgroup_unix_connect"},
    {50, "cgroup_unix_sendmsg"},
    {51, "cgroup_unix_recvmsg"},
    {52, "cgroup_unix_getpeername"},
    {53, "cgroup_unix_getsockname"},
    {54, "netkit_primary"},
    {55, "netkit_peer"},
    {56, "trace_kprobe_session"},
    {57, "trace_uprobe_session"},
}};

// The words for hf_request.bpf_value, as its way (HF_WAY_BPF_*) says; empty for other ways.
[[nodiscard]] constexpr Names bpf_names(std::uint32_t way) {
  switch (way) {
    case HF_WAY_BPF_COMMAND:
      return kBpfCommandNames;
    case HF_WAY_BPF_MAP:
      return kBpfMapNames;
    case HF_WAY_BPF_PROGRAM:
      return kBpfProgramNames;
    case HF_WAY_BPF_ATTACH:
      return kBpfAttachNames;
    default:
      return {};
  }
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_BPF_NAMES_H
