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

// The sizes make a row that core/abi.h does not count a mistake.
inline constexpr std::array<Name, HF_OP_COUNT - 1> kOpNames = {{
#define HF_OP(name, number, word, way) {HF_OP_##name, word},
#include "core/enums.def"
}};

inline constexpr std::array<Name, HF_VIA_COUNT - 1> kViaNames = {{
#define HF_VIA(name, number, word, operation) {HF_VIA_##name, word},
#include "core/enums.def"
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
#define HF_REASON(name, number, word, text) {HF_REASON_##name, word},
#include "core/enums.def"
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
inline constexpr Name kRequestFlagNames[] = {
#define HF_REQ(name, bit, word) {HF_REQ_##name, word},
#include "core/enums.def"
};

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
