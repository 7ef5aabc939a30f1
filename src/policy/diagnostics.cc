// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "policy/event_text.h"
#include "policy/load.h"

namespace holdfast::policy {
namespace {

// What stands before the caret, as blanks that keep the caret in place: tabs stay tabs, and a
// character of several bytes is one blank.
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

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Bytes of the character at the start of `text` when it is UTF-8 of two bytes and more, and no
// control character of the terminal's (U+0080 to U+009F); else 0.
std::size_t wide_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead >= 0xf5   ? 0
                            : lead >= 0xf0 ? 4
                            : lead >= 0xe0 ? 3
                            : lead >= 0xc2 ? 2
                                           : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; i++)
    if (!is_continuation(text[i])) return 0;
  if (lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return 0;
  return bytes;
}

// What may reach a terminal: printable characters and tabs; a '?' for anything else, of as many
// columns as indent_to() counts for it.
std::string shown(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    const char c = line[0];
    const std::size_t wide = wide_character(line);
    const bool printable = (c >= 0x20 && c < 0x7f) || c == '\t';
    if (wide > 0)
      text += line.substr(0, wide);
    else if (printable)
      text += c;
    else if (!is_continuation(c))
      text += '?';
    line.remove_prefix(std::max<std::size_t>(wide, 1));
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
