// SPDX-License-Identifier: Apache-2.0
#include "events/event_context.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kContainerDigits = 64;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

bool is_hexadecimal(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The container of "docker-ID.scope", "libpod-ID.scope", "cri-containerd-ID.scope", "crio-ID" or "ID".
std::string_view container_in(std::string_view component) {
  if (component.ends_with(".scope")) component.remove_suffix(6);
  component = component.substr(component.rfind('-') + 1);  // npos + 1 is 0
  return component.size() == kContainerDigits && is_hexadecimal(component) ? component : "";
}

}  // namespace

CgroupPlace place_of_cgroup(std::string_view path) {
  CgroupPlace place;
  for (const std::string_view component : split(path, '/')) {
    if (component.ends_with(".service") || component.ends_with(".scope")) place.unit = component;
    if (const std::string_view found = container_in(component); !found.empty())
      place.container = found;
  }
  return place;
}

std::string utc_text(std::uint64_t wall_ns) {
  namespace chrono = std::chrono;
  const auto seconds = static_cast<long long>(wall_ns / kNsPerSecond);
  const chrono::sys_seconds time{chrono::seconds(seconds)};
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", int(date.year()),
                     unsigned(date.month()), unsigned(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), wall_ns % kNsPerSecond);
}

std::string with_context(std::string_view json, const EventContext& context) {
  Json added = {{"schema", kEventSchema}};
  const auto put = [&added](const char* key, const std::string& text) {
    if (!text.empty()) added[key] = text;
  };
  put("machine", context.machine);
  put("boot", context.boot);
  added["sequence"] = context.sequence;
  added["time"] = utc_text(context.wall_ns);
  put("policy_name", context.policy_name);
  put("cgroup", context.cgroup);
  const CgroupPlace place = place_of_cgroup(context.cgroup);
  put("unit", place.unit);
  put("container", place.container);
  const std::string text = added.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("{},{}", json.substr(0, json.size() - 1), text.substr(1));
}

}  // namespace holdfast::policy
