// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "base/printable.h"
#include "policy/load.h"

namespace holdfast::policy {
namespace {

// The indentation of the caret. Tabs stay tabs, and a character of several bytes is one blank.
std::string indent_to(std::string_view line, std::uint32_t column) {
  std::string indent;
  for (std::size_t i = 0; i + 1 < column && i < line.size(); i++) {
    if ((static_cast<unsigned char>(line[i]) & 0xc0) == 0x80) continue;
    indent += line[i] == '\t' ? '\t' : ' ';
  }
  return indent;
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

// The line with only printable characters and tabs, for a terminal. Any other character becomes a
// '?' for each column that indent_to() counts.
std::string shown(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    const std::size_t printable = line[0] == '\t' ? 1 : printable_sequence(line);
    if (printable > 0)
      text += line.substr(0, printable);
    else if ((static_cast<unsigned char>(line[0]) & 0xc0) != 0x80)
      text += '?';
    line.remove_prefix(std::max<std::size_t>(printable, 1));
  }
  return text;
}

}  // namespace

std::string render(const Diagnostic& diagnostic) {
  const Span& where = diagnostic.where;
  std::string text =
      fmt::format("{}: error: {}\n", escape(where.place()), escape(diagnostic.message));
  if (!diagnostic.line.empty()) {
    const std::string number = fmt::format("{:5}", where.line);
    const std::string_view marked =
        std::string_view(diagnostic.line)
            .substr(std::min<std::size_t>(where.column - 1, diagnostic.line.size()), where.length);
    const std::size_t more = marked.empty() ? 0 : characters(marked) - 1;
    text += fmt::format("{} | {}\n", number, shown(diagnostic.line));
    text += fmt::format("      | {}^{}\n", indent_to(diagnostic.line, where.column),
                        std::string(more, '~'));
  }
  if (!diagnostic.hint.empty()) text += fmt::format("      = {}\n", escape(diagnostic.hint));
  return text;
}

}  // namespace holdfast::policy
