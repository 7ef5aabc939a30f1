// SPDX-License-Identifier: Apache-2.0
#include "explain/amend.h"

#include <fmt/core.h>

#include <algorithm>

#include "explain/learn_sockets.h"
#include "policy/toml_text.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The offset of a place. kNone: the text does not have it.
std::size_t offset_of(std::string_view text, const Span& where) {
  std::size_t at = 0;
  for (std::uint32_t line = 1; line < where.line; line++) {
    at = text.find('\n', at);
    if (at == kNone) return kNone;
    at++;
  }
  at += std::max<std::uint32_t>(where.column, 1) - 1;
  return at < text.size() ? at : kNone;
}

// The end of the string that begins at `at` with a quotation mark. kNone: it does not end.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char mark = text[at];
  const bool is_long = text.substr(at, 3) == std::string(3, mark);
  const std::size_t width = is_long ? 3 : 1;
  for (std::size_t i = at + width; i < text.size(); i++) {
    if (text[i] == '\\' && mark == '"')
      i++;
    else if (text.substr(i, width) == std::string(width, mark))
      return i + width;
  }
  return kNone;
}

// The end of the value that begins at `at`: before the comment or the end of its last line.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  std::size_t end = at;  // after the last character that is part of the value
  for (std::size_t i = at; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = end_of_string(text, i);
      if (i == kNone) return kNone;
      end = i;
      continue;
    }
    if (c == '#' && depth == 0) return end;
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '\n' && depth == 0) return end;
    if (c == '[' || c == '{') depth++;
    if ((c == ']' || c == '}') && depth-- == 0) return end;  // of an inline table around it
    if (c == ',' && depth == 0) return end;
    i++;
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') end = i;
  }
  return depth == 0 ? end : kNone;
}

// The place after the '=' of a statement and the spaces that follow it.
std::size_t start_of_value(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] != '=') {
    if (text[at] == '\n') return kNone;
    at = text[at] == '"' || text[at] == '\'' ? end_of_string(text, at) : at + 1;
  }
  if (at >= text.size()) return kNone;
  return std::min(text.find_first_not_of(" \t", at + 1), text.size());
}

// The start of the first line that is this header, without the spaces around it. kNone: no line is.
std::size_t find_header(std::string_view text, std::string_view header) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    line = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with(header)) return at;
    at = end + 1;
  }
  return kNone;
}

std::string with_line_end(std::string_view text) {
  std::string whole(text);
  if (!whole.empty() && !whole.ends_with('\n')) whole += '\n';
  return whole;
}

}  // namespace

std::optional<std::string> with_value(std::string_view text, const Span& where,
                                      std::string_view value) {
  const std::size_t statement = offset_of(text, where);
  if (statement == kNone) return std::nullopt;
  const std::size_t from = start_of_value(text, statement);
  if (from == kNone) return std::nullopt;
  const std::size_t to = end_of_value(text, from);
  if (to == kNone || to == from) return std::nullopt;
  std::string changed(text);
  if (!value.empty()) return changed.replace(from, to - from, value);
  const std::size_t end = std::min(text.find('\n', to), text.size() - 1) + 1;
  return changed.erase(statement, end - statement);
}

std::string with_statement(std::string_view text, std::string_view profile, std::string_view key,
                           std::string_view value) {
  const std::string header = fmt::format("[profile.{}]", toml_key(profile));
  std::string changed = with_line_end(text);
  const std::size_t at = find_header(changed, header);
  const std::string statement = fmt::format("{} = {}\n", key, value);
  if (at == kNone) return changed + fmt::format("\n{}\n{}", header, statement);
  return changed.insert(changed.find('\n', at) + 1, statement);
}

std::string with_socket_rule(std::string_view text, std::string_view profile,
                             std::string_view rule) {
  std::string changed = with_line_end(text);
  const std::size_t at =
      find_header(changed, fmt::format("[[profile.{}.socket]]", toml_key(profile)));
  if (at == kNone) return changed + "\n" + std::string(rule);
  return changed.insert(at, std::string(rule) + "\n");
}

std::optional<std::string> amended(std::string_view text, const std::string& name,
                                   const Change& change, const hf_request& request,
                                   const Compiled& names) {
  if (change.key.starts_with("socket["))
    return with_socket_rule(text, change.profile, allowing_rule(request, names));
  if (change.where.file == name) return with_value(text, change.where, change.value);
  if (change.value.empty()) return std::nullopt;  // a statement of another file cannot be removed
  return with_statement(text, change.profile, change.key, change.value);
}

}  // namespace holdfast::policy
