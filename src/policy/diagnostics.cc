// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

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

// Only tabs may reach a terminal as they are.
std::string shown(std::string_view line) {
  std::string text;
  for (const char c : line) {
    const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    text += control ? '?' : c;
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
