// SPDX-License-Identifier: Apache-2.0
// The names of the enumerations of core/abi.h. Policies, requests, events and tests use them.
#ifndef HOLDFAST_POLICY_ENUM_NAMES_H
#define HOLDFAST_POLICY_ENUM_NAMES_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/names.h"
#include "core/abi.h"

namespace holdfast::policy {

using holdfast::Name;
using holdfast::name_of;
using holdfast::Names;
using holdfast::value_of;

inline constexpr std::array<Name, 8> kOpNames = {{
    {HF_OP_NAMESPACE_ALLOC, "namespace_alloc"},
    {HF_OP_NAMESPACE_INSTALL, "namespace_install"},
    {HF_OP_CGROUP_ATTACH, "cgroup_attach"},
    {HF_OP_SOCKET, "socket"},
    {HF_OP_BPF, "bpf"},
    {HF_OP_TRACE, "trace"},
    {HF_OP_LABEL, "label"},
    {HF_OP_MARK, "mark"},
}};

inline constexpr std::array<Name, 23> kViaNames = {{
    {HF_VIA_SETNS, "setns"},
    {HF_VIA_UNSHARE, "unshare"},
    {HF_VIA_CLONE, "clone"},
    {HF_VIA_MOUNT, "mount"},
    {HF_VIA_CGROUP_PROCS, "cgroup.procs"},
    {HF_VIA_CGROUP_THREADS, "cgroup.threads"},
    {HF_VIA_CLONE_INTO_CGROUP, "clone_into_cgroup"},
    {HF_VIA_BIND, "bind"},
    {HF_VIA_CONNECT, "connect"},
    {HF_VIA_LISTEN, "listen"},
    {HF_VIA_ACCEPT, "accept"},
    {HF_VIA_SEND, "send"},
    {HF_VIA_BPF_COMMAND, "bpf_command"},
    {HF_VIA_BPF_MAP, "bpf_map"},
    {HF_VIA_BPF_PROGRAM, "bpf_program"},
    {HF_VIA_BPF_ATTACH, "bpf_attach"},
    {HF_VIA_PTRACE, "ptrace"},
    {HF_VIA_LABEL_SET, "label_set"},
    {HF_VIA_LABEL_REMOVE, "label_remove"},
    {HF_VIA_MARK_SET, "mark_set"},
    {HF_VIA_MARK_REMOVE, "mark_remove"},
    {HF_VIA_MARK_WRITE, "mark_write"},
    {HF_VIA_MARK_EXEC, "mark_exec"},
}};

// The names under /proc/PID/ns.
inline constexpr std::array<Name, HF_NS_COUNT> kNsTypeNames = {{
    {HF_NS_MNT, "mnt"},
    {HF_NS_UTS, "uts"},
    {HF_NS_IPC, "ipc"},
    {HF_NS_USER, "user"},
    {HF_NS_PID, "pid"},
    {HF_NS_NET, "net"},
    {HF_NS_CGROUP, "cgroup"},
    {HF_NS_TIME, "time"},
}};

inline constexpr std::array<Name, 4> kVerdictNames = {{
    {HF_ALLOW, "allow"},
    {HF_DENY, "deny"},
    {HF_LOCK, "lock"},
    {HF_LIMIT, "limit"},
}};

inline constexpr std::array<Name, HF_REASON_COUNT> kReasonNames = {{
    {HF_REASON_DEFAULT, "default"},
    {HF_REASON_RULE, "rule"},
    {HF_REASON_CREATE, "create"},
    {HF_REASON_ENTER_NONE, "enter-none"},
    {HF_REASON_NOT_OWN, "not-own"},
    {HF_REASON_LOCKED, "locked"},
    {HF_REASON_ANCHOR, "anchor"},
    {HF_REASON_VISITORS_DENY, "visitors-deny"},
    {HF_REASON_LOCK_ON_ENTRY, "lock-on-entry"},
    {HF_REASON_TARGET_UNKNOWN, "target-unknown"},
    {HF_REASON_TRACE_OUTSIDE, "trace-outside"},
    {HF_REASON_LEAVE, "leave"},
    {HF_REASON_JOIN, "join"},
    {HF_REASON_INSIDE, "inside"},
    {HF_REASON_SAME_CGROUP, "same-cgroup"},
    {HF_REASON_SOCKET_DENY, "socket-deny"},
    {HF_REASON_SOCKET_RATE, "socket-rate"},
    {HF_REASON_BPF_DELEGATE, "bpf-delegate"},
    {HF_REASON_BAD_REQUEST, "bad-request"},
    {HF_REASON_FACTS_MISSING, "facts-missing"},
    {HF_REASON_LABEL_SET, "label-set"},
    {HF_REASON_MARK, "mark"},
    {HF_REASON_BPF_ATTACH_TO, "bpf-attach-to"},
    {HF_REASON_BPF_QUOTA, "bpf-quota"},
    {HF_REASON_BPF_FOREIGN, "bpf-foreign"},
}};

inline constexpr std::array<Name, 5> kSocketOpNames = {{
    {HF_SOCK_BIND, "bind"},
    {HF_SOCK_CONNECT, "connect"},
    {HF_SOCK_LISTEN, "listen"},
    {HF_SOCK_ACCEPT, "accept"},
    {HF_SOCK_SEND, "send"},
}};

inline constexpr std::array<Name, 6> kFamilyNames = {{
    {HF_FAMILY_UNIX, "unix"},
    {HF_FAMILY_INET, "inet"},
    {HF_FAMILY_INET6, "inet6"},
    {HF_FAMILY_NETLINK, "netlink"},
    {HF_FAMILY_PACKET, "packet"},
    {HF_FAMILY_VSOCK, "vsock"},
}};

// kModeNames, kLogNames, kEnterNames, kVisitorsNames, kAttachToNames, kSocketVerdictNames.
#define HF_WORDS(list, ...) inline constexpr Name list[] = {__VA_ARGS__};
#include "policy/keys.def"

// Bits of hf_request.flags.
inline constexpr std::array<Name, 13> kRequestFlagNames = {{
    {HF_REQ_TARGET_KNOWN, "target-known"},
    {HF_REQ_HELD_MIXED, "held-mixed"},
    {HF_REQ_SAME_CGROUP, "same-cgroup"},
    {HF_REQ_DELEGATED, "delegated"},
    {HF_REQ_FACTS_MISSING, "facts-missing"},
    {HF_REQ_OBJECT_HELD_SAME, "object-held-same"},
    {HF_REQ_THREADGROUP, "threadgroup"},
    {HF_REQ_HELD_ANCHORED, "held-anchored"},
    {HF_REQ_LABEL_LISTED, "label-listed"},
    {HF_REQ_BPF_OUTSIDE, "outside"},
    {HF_REQ_BPF_FOREIGN, "foreign"},
    {HF_REQ_OVER_QUOTA, "over-quota"},
    {HF_REQ_OVER_MEMORY, "over-memory"},
}};

// The names of the bits of a mask, joined by `separator`. Bits without a name are one hexadecimal
// number at the end.
[[nodiscard]] std::string mask_text(Names names, std::uint32_t mask,
                                    std::string_view separator = ",");

// "a, b or c"
[[nodiscard]] std::string list_of(Names names);

// The meaning of a reason (HF_REASON_*), as the end of a sentence for a user.
[[nodiscard]] std::string_view describe_reason(std::uint32_t reason);

// "EPERM", or "errno 4711" if the number has no name.
[[nodiscard]] std::string errno_name(int error);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_ENUM_NAMES_H
