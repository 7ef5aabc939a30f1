// SPDX-License-Identifier: Apache-2.0
// Finds the socket and BPF rules of one profile that allow the recorded requests and nothing else.
#ifndef HOLDFAST_EXPLAIN_LEARN_SOCKETS_H
#define HOLDFAST_EXPLAIN_LEARN_SOCKETS_H

#include <string>
#include <string_view>
#include <vector>

#include "explain/learn_trial.h"

namespace holdfast::policy {

// [[profile.NAME.socket]] tables as TOML: one for each kind of use, and a last one that refuses
// everything else. "": the profile used no sockets, or used all kinds of them.
// The last one is only about `ops` (HF_SOCK_*), of which all uses were recorded. If `rest` is not
// empty, it stands in its place: rules as TOML.
[[nodiscard]] std::string learned_sockets(const std::vector<Seen>& seen, const Compiled& names,
                                          std::uint16_t profile, std::uint32_t ops,
                                          const std::string& rest);

// A rule that allows this request about a socket, as the first one of its profile.
[[nodiscard]] std::string allowing_rule(const hf_request& request, const Compiled& names);

// A rule that refuses these operations (HF_SOCK_*).
[[nodiscard]] std::string closing_rule(const std::string& profile, std::uint32_t ops);

// [profile.NAME.bpf] as TOML. "": the profile used no delegated privilege.
[[nodiscard]] std::string learned_bpf(const std::vector<Seen>& seen, const Compiled& names,
                                      std::uint16_t profile);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_SOCKETS_H
