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
[[nodiscard]] std::string learned_sockets(const std::vector<Seen>& seen, const Compiled& names,
                                          std::uint16_t profile);

// [profile.NAME.bpf] as TOML. "": the profile used no delegated privilege.
[[nodiscard]] std::string learned_bpf(const std::vector<Seen>& seen, const Compiled& names,
                                      std::uint16_t profile);

// "\"a\\\"b\"": a TOML basic string.
[[nodiscard]] std::string toml_string(std::string_view text);
// A TOML key: bare if TOML allows that, otherwise as a string.
[[nodiscard]] std::string toml_key(std::string_view text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_SOCKETS_H
