// SPDX-License-Identifier: Apache-2.0
// Parses machine-written text.
#ifndef HOLDFAST_BASE_TEXT_H
#define HOLDFAST_BASE_TEXT_H

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

namespace holdfast {

// The parts between separators, empty parts included. They borrow `text`. "" is one empty part.
[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

// The text after "Name:\t" up to the end of its line, the format of /proc/PID/status. The result
// borrows `text`. nullopt: there is no such line.
[[nodiscard]] inline std::optional<std::string_view> field(std::string_view text,
                                                           std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(":\t"))
      return line.substr(name.size() + 2);
    at = end + 1;
  }
  return std::nullopt;
}

// The whole text as a number, without a prefix such as 0x. nullopt: it is not a number, or it does
// not fit `T`.
template <typename T>
[[nodiscard]] std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size())
    return std::nullopt;
  return value;
}

}  // namespace holdfast

#endif  // HOLDFAST_BASE_TEXT_H
