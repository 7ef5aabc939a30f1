// SPDX-License-Identifier: Apache-2.0
// The lines of one source, and places in it.
#ifndef HOLDFAST_POLICY_SOURCE_LINES_H
#define HOLDFAST_POLICY_SOURCE_LINES_H

#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/load.h"

namespace holdfast::policy {

// Borrows the source. Not thread safe: it remembers where it looked last.
class SourceLines {
 public:
  explicit SourceLines(const Source& source);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(starts_.size()); }

  // Without its newline; "" for a line that does not exist.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;

  // From a region whose columns count characters, its end exclusive, to a Span whose columns count
  // bytes. A region that ends on a later line ends with its first.
  [[nodiscard]] Span span(std::uint32_t line, std::uint32_t column, std::uint32_t end_line,
                          std::uint32_t end_column) const;

  // From the first part of the dotted key that `key` is the last part of, to the end of `value`.
  [[nodiscard]] Span statement(const Span& key, const Span& value) const;

 private:
  // Where a character of a line starts.
  struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 1;  // character, from 1
    std::size_t byte = 0;      // from 0
  };

  [[nodiscard]] std::size_t byte_of(std::uint32_t line, std::uint32_t column) const;

  const Source& source_;
  std::vector<std::size_t> starts_;
  mutable Place last_;  // places come in order, mostly, and a line may be the whole file
};

// Order within one file.
[[nodiscard]] bool before(const Span& a, const Span& b);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SOURCE_LINES_H
