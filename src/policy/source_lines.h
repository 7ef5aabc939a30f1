// SPDX-License-Identifier: Apache-2.0
// The lines of one source, and the places in it.
#ifndef HOLDFAST_POLICY_SOURCE_LINES_H
#define HOLDFAST_POLICY_SOURCE_LINES_H

#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/load.h"

namespace holdfast::policy {

// Borrows the source. One thread, because const members update a cache.
class SourceLines {
 public:
  explicit SourceLines(const Source& source);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(starts_.size()); }

  // The line without its newline. "": there is no such line.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;

  // Converts a region whose columns count characters to a Span whose columns count bytes. The end
  // of the region is exclusive. If it is on a later line, the Span ends at the end of the first
  // line.
  [[nodiscard]] Span span(std::uint32_t line, std::uint32_t column, std::uint32_t end_line,
                          std::uint32_t end_column) const;

  // The place of a whole statement: from the first part of the dotted key to the end of `value`.
  // `key` is the place of the last part of the key.
  [[nodiscard]] Span statement(const Span& key, const Span& value) const;

 private:
  // The start of a character.
  struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 1;  // character, from 1
    std::size_t byte = 0;      // from 0
  };

  [[nodiscard]] std::size_t byte_of(std::uint32_t line, std::uint32_t column) const;

  const Source& source_;
  std::vector<std::size_t> starts_;
  mutable Place last_;  // a cache: places are mostly in order, and a line may be very long
};

// Does `a` start before `b`? Both are in the same file.
[[nodiscard]] bool before(const Span& a, const Span& b);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SOURCE_LINES_H
