// SPDX-License-Identifier: Apache-2.0
#include "policy/source_lines.h"

#include <algorithm>
#include <string_view>

namespace holdfast::policy {
namespace {

// The position of the last byte before `at` that is not blank; npos: none.
std::size_t last_before(std::string_view line, std::size_t at) {
  return at == 0 ? std::string_view::npos : line.find_last_not_of(" \t", at - 1);
}

// The start of the part of a key that ends before the dot at `dot`.
std::size_t part_start(std::string_view line, std::size_t dot) {
  const std::size_t last = last_before(line, dot);
  if (last == std::string_view::npos) return dot;
  if (line[last] == '"' || line[last] == '\'') {
    const std::size_t open = last == 0 ? last : line.rfind(line[last], last - 1);
    return open == std::string_view::npos ? last : open;
  }
  const std::size_t outside = line.find_last_of(" \t.[{,=\"'", last);
  return outside == std::string_view::npos ? 0 : outside + 1;
}

}  // namespace

SourceLines::SourceLines(const Source& source) : source_(source) {
  starts_.push_back(0);
  for (std::size_t i = 0; i < source.text.size(); i++) {
    if (source.text[i] == '\n') starts_.push_back(i + 1);
  }
}

std::string_view SourceLines::line(std::uint32_t number) const {
  if (number == 0 || number > starts_.size()) return "";
  const std::size_t start = starts_[number - 1];
  std::size_t end = number < starts_.size() ? starts_[number] - 1 : source_.text.size();
  if (end > start && source_.text[end - 1] == '\r') end--;
  return std::string_view(source_.text).substr(start, end - start);
}

// At most the line's length.
std::size_t SourceLines::byte_of(std::uint32_t number, std::uint32_t column) const {
  const std::string_view text = line(number);
  if (last_.line != number || last_.column > column) last_ = {number};
  while (last_.column < column && last_.byte < text.size()) {
    last_.column++;
    last_.byte++;
    while (last_.byte < text.size() &&
           (static_cast<unsigned char>(text[last_.byte]) & 0xc0) == 0x80)
      last_.byte++;
  }
  return last_.byte;
}

Span SourceLines::span(std::uint32_t line_number, std::uint32_t column, std::uint32_t end_line,
                       std::uint32_t end_column) const {
  Span span{source_.name, std::max(line_number, 1u), 1, 0};
  const std::size_t start = byte_of(span.line, column);
  const std::size_t end =
      end_line > line_number ? line(span.line).size() : byte_of(span.line, end_column);
  span.column = static_cast<std::uint32_t>(start + 1);
  span.length = end > start ? static_cast<std::uint32_t>(end - start) : 0;
  return span;
}

Span SourceLines::statement(const Span& key, const Span& value) const {
  const std::string_view text = line(key.line);
  std::size_t start = std::min<std::size_t>(key.column - 1, text.size());
  for (std::size_t dot = last_before(text, start); dot != std::string::npos && text[dot] == '.';
       dot = last_before(text, start))
    start = part_start(text, dot);
  Span span{key.file, key.line, static_cast<std::uint32_t>(start + 1), 0};
  const std::uint32_t end = value.line == key.line && value.column + value.length > key.column
                                ? value.column + value.length
                                : key.column + key.length;
  span.length = end - span.column;
  return span;
}

bool before(const Span& a, const Span& b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

}  // namespace holdfast::policy
