// SPDX-License-Identifier: Apache-2.0
// Finds input that must not be passed to the TOML library.
#ifndef HOLDFAST_POLICY_TOML_SCAN_H
#define HOLDFAST_POLICY_TOML_SCAN_H

#include <optional>

#include "policy/source_lines.h"

namespace holdfast::policy {

struct ScanMistake {
  Span where;
  const char* message;
};

// The first place that is not safe for toml++ 3.3. Empty: the library can read the whole source.
[[nodiscard]] std::optional<ScanMistake> scan_toml(const SourceLines& lines);

// The line of a header such as `[[[a]]]`. toml++ fails at it without a line number (cmake/toml.cc).
[[nodiscard]] std::uint32_t find_broken_header(const SourceLines& lines);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_TOML_SCAN_H
