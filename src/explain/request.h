// SPDX-License-Identifier: Apache-2.0
// A request as text: 'profile=web hook=namespace_install type=net target=host'.
//
//   profile=NAME|none      the acting task's profile (also mover=)
//   hook=HOOK way=WAY      what is asked; one of both is enough
//   type=net[,user…]       namespaces: the types made, or the type entered
//   target=host|own|NAME[#N]|unknown
//                          whose namespace is entered: nobody's, its own sandbox's, that of sandbox
//                          N of a profile
//   held=NAME[#N]|own|none the sandbox that the task sits in now
//   held_types=net,…       the types in which it sits there; all without it
//   sandbox=N|none         the sandbox that the task was started in; 1 without it
//   object=NAME|none       the moved or traced task's profile
//   src=PATH dst=PATH      cgroups
//   op=OP family=FAMILY label.NAME=VALUE peer.NAME=VALUE
//   command=, map=, program=, attach=   the kernel's names for BPF
//   flags=WORD,…           facts of hf_request.flags
//
// A value may stand in double quotes.
#ifndef HOLDFAST_EXPLAIN_REQUEST_H
#define HOLDFAST_EXPLAIN_REQUEST_H

#include <string_view>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Errors (EINVAL): what is wrong, with the words that would be right, as detail.
[[nodiscard]] Result<hf_request> parse_request(std::string_view text, const Compiled& policy);

// The id that sandbox `number` of a profile has in such a request.
[[nodiscard]] std::uint64_t sandbox_id(std::uint16_t profile, std::uint32_t number);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_REQUEST_H
