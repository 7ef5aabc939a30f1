// SPDX-License-Identifier: Apache-2.0
// Text from strangers, made safe to print on a terminal or in a log.
#ifndef HOLDFAST_BASE_PRINTABLE_H
#define HOLDFAST_BASE_PRINTABLE_H

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// Bytes of the UTF-8 sequence that `text`, which is not empty, starts with; 0: not one that may be
// printed. Refuses overlong forms, surrogates, and control characters, the C1 ones too, which a
// terminal obeys like ESC.
[[nodiscard]] std::size_t printable_sequence(std::string_view text);

// `text` with control characters, invalid UTF-8 and backslashes as \xNN: safe on a terminal.
[[nodiscard]] std::string escape(std::string_view text);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_PRINTABLE_H
