// SPDX-License-Identifier: Apache-2.0
// Makes untrusted text safe to print on a terminal or in a log.
#ifndef HOLDFAST_BASE_PRINTABLE_H
#define HOLDFAST_BASE_PRINTABLE_H

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// The length in bytes of the UTF-8 sequence at the start of `text`, which is not empty. 0: the
// sequence must not be printed: it is invalid, overlong, a surrogate, or a control character. C1
// control characters count too, because a terminal obeys them like ESC.
[[nodiscard]] std::size_t printable_sequence(std::string_view text);

// Replaces each byte of a control character, of invalid UTF-8, and each backslash by \xNN.
[[nodiscard]] std::string escape(std::string_view text);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_PRINTABLE_H
