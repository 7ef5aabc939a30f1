// SPDX-License-Identifier: Apache-2.0
// The socket and BPF rules of one profile that allow what was seen and nothing else.
#ifndef HOLDFAST_EXPLAIN_LEARN_SOCKETS_H
#define HOLDFAST_EXPLAIN_LEARN_SOCKETS_H

#include <string>
#include <string_view>
#include <vector>

#include "explain/learn_trial.h"

namespace holdfast::policy {

// [[profile.NAME.socket]] tables, one for each kind of use and a refusal of the rest at the end.
// Empty when the profile used no socket, or used them in every way.
[[nodiscard]] std::string learned_sockets(const std::vector<Seen>& seen, const Compiled& names,
                                          std::uint16_t profile);

// [profile.NAME.bpf]. Empty when the profile used no delegated privilege.
[[nodiscard]] std::string learned_bpf(const std::vector<Seen>& seen, const Compiled& names,
                                      std::uint16_t profile);

// "\"a\\\"b\"": a TOML basic string.
[[nodiscard]] std::string toml_string(std::string_view text);
// A key: as it is where TOML allows that, else as a string.
[[nodiscard]] std::string toml_key(std::string_view text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_SOCKETS_H
