// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/descriptor_path.h"

#include <array>
#include <charconv>
#include <string>

namespace holdfast::backend::calls {
namespace {

constexpr std::array<std::string_view, 3> kDescriptorFolders = {
    "/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
constexpr std::array<std::string_view, 3> kStreams = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

std::optional<int> number_behind(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int> descriptor_of_path(std::string_view path, pid_t own_number) {
  for (std::size_t i = 0; i < kStreams.size(); i++)
    if (path == kStreams[i]) return static_cast<int>(i);
  for (const std::string_view folder : kDescriptorFolders)
    if (path.starts_with(folder)) return number_behind(path.substr(folder.size()));
  const std::string own = "/proc/" + std::to_string(own_number) + "/fd/";
  if (path.starts_with(own)) return number_behind(path.substr(own.size()));
  return std::nullopt;
}

}  // namespace holdfast::backend::calls
