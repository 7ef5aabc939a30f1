// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_writer.h"

#include <fmt/core.h>

#include <utility>

#include "daemon/journal_entry.h"
#include "daemon/refusals.h"
#include "kernel/cgroup.h"
#include "policy/event_json.h"

namespace holdfast::daemon {

namespace {

// A JSON string. Bytes above 0x7f pass as they are: cgroup names are UTF-8 or the reader's problem.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

}  // namespace

EventWriter::EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root)
    : to_(to), format_(format), colour_(colour), cgroup_root_(std::move(cgroup_root)) {}

// Empty when it is gone: ids are never reused, so a path that is found is the right one.
std::string EventWriter::path_of(std::uint64_t cgroup) const {
  if (!cgroup_root_) return {};
  auto path = kernel::cgroup_path(cgroup_root_.get(), cgroup);
  return path ? *path : std::string();
}

std::string EventWriter::json(const hf_event& event, const policy::Compiled& policy) const {
  std::string json = policy::event_json(event, policy);
  if (event.request.hook != HF_HOOK_CGROUP_ATTACH) return json;
  const std::string source = path_of(event.source);
  const std::string target = path_of(event.target);
  json.pop_back();
  return fmt::format("{},\"source_path\":{},\"target_path\":{}}}", json,
                     source.empty() ? "null" : quoted(source),
                     target.empty() ? "null" : quoted(target));
}

std::string EventWriter::text(const hf_event& event, const policy::Compiled& policy) const {
  std::string text = policy::event_text(event, policy, colour_);
  if (event.request.hook != HF_HOOK_CGROUP_ATTACH) return text;
  const auto shown = [](const std::string& path) {
    return path.empty() ? std::string("(gone)") : policy::escape(path);
  };
  return fmt::format("{}  {} -> {}", text, shown(path_of(event.source)),
                     shown(path_of(event.target)));
}

void EventWriter::print(const std::string& line) {
  fmt::print(to_, "{}\n", line);
  std::fflush(to_);
}

Result<void> EventWriter::write(const hf_event& event, const policy::Compiled& policy) {
  if (format_ == EventFormat::json) return print(json(event, policy)), Result<void>();
  const std::string line = text(event, policy);
  if (format_ == EventFormat::pretty) return print(line), Result<void>();
  CgroupPathsOf paths;
  if (event.request.hook == HF_HOOK_CGROUP_ATTACH)
    paths = {path_of(event.source), path_of(event.target)};
  auto sent = kernel::send_to_journal(journal_fields(event, policy, paths, line));
  if (!sent) print(line);
  return sent;
}

Result<void> EventWriter::write(const hf_guard_event& refusal) {
  if (format_ == EventFormat::json) return print(refusal_json(refusal)), Result<void>();
  if (format_ == EventFormat::pretty) return print(refusal_text(refusal)), Result<void>();
  auto sent = kernel::send_to_journal(journal_fields(refusal));
  if (!sent) print(refusal_text(refusal));
  return sent;
}

}  // namespace holdfast::daemon
