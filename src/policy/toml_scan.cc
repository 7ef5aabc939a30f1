// SPDX-License-Identifier: Apache-2.0
// A policy may come from an attacker. toml++ 3.3 limits the nesting of brackets but not of dotted
// keys, and it frees the tables of a dotted key by recursion. A key `a.a.a…` of one megabyte
// overflows the stack. So this file limits the number of dots on a line outside of strings.
//
// Two more constructs are refused, with clearer messages than the library has: characters other
// than ASCII outside of strings and comments, and multi-line strings, which no policy needs.
// Without them, every string and comment ends on its line, so each line can be scanned on its own.
#include "policy/toml_scan.h"

#include <string_view>

namespace holdfast::policy {
namespace {

constexpr int kMaxDotsOnLine = 32;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

struct LineMistake {
  std::size_t at;
  const char* message;
};

// The position after the string that starts at `open`, or the end of the line.
std::size_t skip_string(std::string_view line, std::size_t open) {
  const char quote = line[open];
  for (std::size_t i = open + 1; i < line.size(); i++) {
    if (line[i] == '\\' && quote == '"') {
      i++;
    } else if (line[i] == quote) {
      return i + 1;
    }
  }
  return line.size();
}

std::optional<LineMistake> scan_line(std::string_view line) {
  int dots = 0;
  for (std::size_t i = 0; i < line.size();) {
    const char c = line[i];
    if (c == '#') break;
    if (c == '"' || c == '\'') {
      if (line.substr(i, 3) == std::string(3, c))
        return LineMistake{i, "multi-line strings are not part of the policy language"};
      i = skip_string(line, i);
      continue;
    }
    if (static_cast<unsigned char>(c) >= 0x80)
      return LineMistake{i, "only strings and comments may hold characters beyond ASCII"};
    if (c == '.' && ++dots > kMaxDotsOnLine) return LineMistake{i, "too many dots on one line"};
    i++;
  }
  return std::nullopt;
}

bool starts_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '"' || c == '\'';
}

}  // namespace

std::optional<ScanMistake> scan_toml(const SourceLines& lines) {
  for (std::uint32_t number = 1; number <= lines.count(); number++) {
    const std::string line(lines.line(number));
    const std::size_t skipped =
        number == 1 && line.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    const auto mistake = scan_line(std::string_view(line).substr(skipped));
    if (!mistake) continue;
    Span where = lines.span(number, 1, number, 1);
    where.column = static_cast<std::uint32_t>(mistake->at + skipped + 1);
    return ScanMistake{where, mistake->message};
  }
  return std::nullopt;
}

std::uint32_t find_broken_header(const SourceLines& lines) {
  for (std::uint32_t number = 1; number <= lines.count(); number++) {
    const std::string line(lines.line(number));
    const std::size_t bracket = line.find_first_not_of(" \t");
    if (bracket == std::string::npos || line[bracket] != '[') continue;
    const std::size_t inside = bracket + (line[bracket + 1] == '[' ? 2 : 1);
    const std::size_t key = line.find_first_not_of(" \t", inside);
    if (key == std::string::npos || !starts_key(line[key])) return number;
  }
  return 1;
}

}  // namespace holdfast::policy
