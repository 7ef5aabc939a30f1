// SPDX-License-Identifier: Apache-2.0
#include "events/event_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "events/guard_event.h"
#include "policy/load.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kIdsShown = 5;

}  // namespace

namespace {

void add(const std::string& text, EventLines which, EventFile& file) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const bool cut_off = rest.empty() && !text.ends_with('\n') && !line.ends_with('}');
    if (line.empty() || cut_off || (which == EventLines::decisions && is_guard_event(line)))
      continue;
    if (!line.starts_with(kPolicyLine)) {
      file.lines.emplace_back(line);
    } else if (which == EventLines::all) {
      if (auto policy = policy_from_line(line)) file.policies.push_back(*std::move(policy));
    }
  }
}

}  // namespace

Result<EventFile> read_event_file(const std::string& path, EventLines which) {
  EventFile file;
  const auto before = read_file(path + ".1", "read events", kMaxFileBytes);
  if (before) add(*before, which, file);
  if (!before && before.error().code != ENOENT) return before.error();
  HF_TRY_ASSIGN(const auto text, read_file(path, "read events", kMaxFileBytes));
  add(text, which, file);
  return file;
}

Result<std::vector<std::string>> read_event_lines(const std::string& path) {
  HF_TRY_ASSIGN(auto file, read_event_file(path, EventLines::decisions));
  return std::move(file.lines);
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
