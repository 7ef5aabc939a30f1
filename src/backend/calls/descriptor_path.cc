// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/descriptor_path.h"

#include <array>
#include <charconv>
#include <string>

namespace holdfast::backend::calls {
namespace {

constexpr std::array<std::string_view, 3> kDescriptorDirectories = {
    "/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
constexpr std::array<std::string_view, 3> kStreams = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

std::optional<int> parse_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int> descriptor_of_path(std::string_view path, pid_t own_number) {
  for (std::size_t i = 0; i < kStreams.size(); i++)
    if (path == kStreams[i]) return static_cast<int>(i);
  for (const std::string_view directory : kDescriptorDirectories)
    if (path.starts_with(directory)) return parse_number(path.substr(directory.size()));
  const std::string own = "/proc/" + std::to_string(own_number) + "/fd/";
  if (path.starts_with(own)) return parse_number(path.substr(own.size()));
  return std::nullopt;
}

}  // namespace holdfast::backend::calls
