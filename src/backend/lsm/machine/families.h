// SPDX-License-Identifier: Apache-2.0
// Which of the machine-wide programs a policy needs. A family is a set of programs that is attached
// as a whole, before the first policy that needs it is live, and detached after the last one.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_FAMILIES_H
#define HOLDFAST_BACKEND_LSM_MACHINE_FAMILIES_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/abi.h"

namespace holdfast::backend::lsm {

struct SocketPolicy;

// A set of families.
using Families = std::uint32_t;

inline constexpr Families kMoves = 1u << 0;       // between cgroups, and delegation of cgroups
inline constexpr Families kNamespaces = 1u << 1;  // made, entered; tracing
inline constexpr Families kHelpers = 1u << 2;     // programs that the kernel starts, and terminals
inline constexpr Families kMarks = 1u << 3;
inline constexpr Families kLabels = 1u << 4;  // of sockets; needed with each of the following
inline constexpr Families kBind = 1u << 5;
inline constexpr Families kConnect = 1u << 6;
inline constexpr Families kListen = 1u << 7;
inline constexpr Families kAccept = 1u << 8;
inline constexpr Families kSend = 1u << 9;
inline constexpr Families kPeers = 1u << 10;     // rules about the peer of a unix socket
inline constexpr Families kTargets = 1u << 11;   // which namespace is entered
inline constexpr Families kTracking = 1u << 12;  // of namespaces; needs kNamespaces
inline constexpr Families kSockets = kBind | kConnect | kListen | kAccept | kSend | kPeers;
inline constexpr Families kSessions = 1u << 13;  // who is a member of which
inline constexpr Families kBpf = 1u << 14;       // the use of BPF privileges
inline constexpr Families kAcceptPeers = 1u
                                         << 15;  // rules about whom an accept finds; needs kAccept
inline constexpr Families kAllFamilies = (1u << 16) - 1;

// A program, and the families that it is in.
struct FamilyProgram {
  std::string name;
  Families families;
};

// All programs, in the order in which they are attached. They are detached in the reverse order.
[[nodiscard]] std::span<const FamilyProgram> family_programs();

// A map whose content is only true while programs of these families are attached.
struct FamilyMap {
  std::string_view name;
  Families families;
};
[[nodiscard]] std::span<const FamilyMap> family_maps();

// What a policy needs. `marks`: it has some.
[[nodiscard]] Families families_of(const hf_tables& tables, const SocketPolicy& sockets,
                                   bool marks);

// Does any profile restrict namespaces? Or else have what is allowed reported?
[[nodiscard]] bool decides_namespaces(const hf_tables& tables);
// Does any profile restrict namespaces, or movement to somewhere else?
[[nodiscard]] bool restricts_namespaces(const hf_tables& tables);
[[nodiscard]] bool keeps_tasks(const hf_tables& tables);
// Does any profile have rules about bpf?
[[nodiscard]] bool rules_bpf(const hf_tables& tables);
// Does any profile have rules about moves between cgroups?
[[nodiscard]] bool restricts_moves(const hf_tables& tables);
// Does any profile allow moves within delegated cgroups?
[[nodiscard]] bool delegates(const hf_tables& tables);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_FAMILIES_H
