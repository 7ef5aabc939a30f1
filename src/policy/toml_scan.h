// SPDX-License-Identifier: Apache-2.0
// What the TOML library must not be given.
#ifndef HOLDFAST_POLICY_TOML_SCAN_H
#define HOLDFAST_POLICY_TOML_SCAN_H

#include <optional>

#include "policy/source_lines.h"

namespace holdfast::policy {

struct ScanMistake {
  Span where;
  const char* message;
};

// The first place that toml++ 3.3 cannot be trusted with; nothing when it may read all of it.
[[nodiscard]] std::optional<ScanMistake> scan_toml(const SourceLines& lines);

// The line of a header that toml++ gives up at without saying where (cmake/toml.cc), such as
// `[[[a]]]`.
[[nodiscard]] std::uint32_t find_broken_header(const SourceLines& lines);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_TOML_SCAN_H
