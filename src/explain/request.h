// SPDX-License-Identifier: Apache-2.0
// Parses a request from text: 'profile=web hook=namespace_install type=net target=host'.
//
//   profile=NAME|none      the acting task's profile (also mover=)
//   hook=HOOK way=WAY      the operation; one of the two is enough
//   type=net[,user…]       namespaces: the types that are made, or the type that is entered
//   target=host|own|NAME[#N]|unknown
//                          the owner of the entered namespace: no sandbox, the task's own sandbox,
//                          sandbox N of a profile, or unknown
//   held=NAME[#N]|own|none the sandbox whose namespaces the task is in
//   held_types=net,…       the types of those namespaces; the default is all
//   sandbox=N|none         the sandbox that the task was started in; the default is 1
//   object=NAME|none       the moved or traced task's profile
//   src=PATH dst=PATH      cgroups
//   op=OP family=FAMILY label.NAME=VALUE peer.NAME=VALUE
//   command=, map=, program=, attach=   the kernel's names for BPF
//   flags=WORD,…           facts of hf_request.flags
//
// A value may be in double quotes.
#ifndef HOLDFAST_EXPLAIN_REQUEST_H
#define HOLDFAST_EXPLAIN_REQUEST_H

#include <string_view>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Errors: EINVAL, with the reason and the valid words in the detail.
[[nodiscard]] Result<hf_request> parse_request(std::string_view text, const Compiled& policy);

// The id of sandbox `number` of a profile in such a request.
[[nodiscard]] std::uint64_t sandbox_id(std::uint16_t profile, std::uint32_t number);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_REQUEST_H
