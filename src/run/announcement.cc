// SPDX-License-Identifier: Apache-2.0
#include "run/announcement.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/sockets/local_socket.h"

namespace holdfast::run {
namespace {

constexpr std::string_view kWord = "@holdfast-run";
constexpr std::string_view kNoProfile = "none";  // no profile can have this name
constexpr std::size_t kParts = 5;

}  // namespace

std::string announcement_text(const Announcement& announcement) {
  return fmt::format(
      "{} {} {} {} {}", kWord, announcement.pid, announcement.backend, announcement.enter,
      announcement.profile.empty() ? kNoProfile : std::string_view(announcement.profile));
}

std::optional<Announcement> parse_announcement(std::string_view name) {
  const auto parts = split(name, ' ');
  if (parts.size() != kParts || parts[0] != kWord) return std::nullopt;
  const auto pid = number<pid_t>(parts[1]);
  if (!pid || *pid <= 0) return std::nullopt;
  return Announcement{*pid, std::string(parts[2]), std::string(parts[3]),
                      parts[4] == kNoProfile ? std::string() : std::string(parts[4])};
}

Result<Fd> announce(const Announcement& announcement) {
  return kernel::bind_abstract_name(announcement_text(announcement));
}

Result<std::vector<Announcement>> announced_runs() {
  HF_TRY_ASSIGN(const auto names, kernel::abstract_names());
  std::vector<Announcement> runs;
  for (const std::string& name : names)
    if (auto run = parse_announcement(name)) runs.push_back(*std::move(run));
  std::ranges::sort(runs, {}, &Announcement::pid);
  return runs;
}

}  // namespace holdfast::run
