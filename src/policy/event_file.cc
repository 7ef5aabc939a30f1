// SPDX-License-Identifier: Apache-2.0
#include "policy/event_file.h"

#include <fmt/core.h>

#include <cerrno>
#include <fstream>

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kIdsShown = 5;

}  // namespace

Result<std::vector<std::string>> read_event_lines(const std::string& path) {
  const auto failed = [&](int code) { return Error{code, "read events", path, ""}; };
  errno = 0;
  std::ifstream file(path);
  if (!file) return failed(errno != 0 ? errno : EIO);
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    bytes += line.size() + 1;
    if (bytes > kMaxFileBytes) return failed(EFBIG);
    const bool cut_off = file.eof() && !line.ends_with('}');
    if (!line.empty() && !cut_off) lines.push_back(std::move(line));
  }
  if (file.bad()) return failed(errno != 0 ? errno : EIO);
  return lines;
}

std::string event_list(const std::vector<std::uint64_t>& ids) {
  if (ids.empty()) return "";
  std::string text = ids.size() == 1 ? "event " : "events ";
  for (std::size_t i = 0; i < ids.size() && i < kIdsShown; i++)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", ids[i]);
  if (ids.size() > kIdsShown) text += fmt::format(" and {} more", ids.size() - kIdsShown);
  return text;
}

}  // namespace holdfast::policy
