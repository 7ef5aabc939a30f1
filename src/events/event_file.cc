// SPDX-License-Identifier: Apache-2.0
#include "events/event_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "events/guard_event.h"
#include "policy/policy_text.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;
constexpr std::size_t kIdsShown = 5;
constexpr std::uint64_t kLinesPerReport = 1024;
constexpr int kOpenTries = 3;

LineKind kind_of(std::string_view line) {
  if (line.starts_with(kPolicyLine)) return LineKind::policy;
  return is_guard_event(line) ? LineKind::guard : LineKind::decision;
}

}  // namespace

LineSource lines_of(const std::vector<std::string>& lines) {
  return [&lines](const LineSink& sink) -> Result<void> {
    for (std::size_t i = 0; i < lines.size(); i++)
      if (auto done = sink({kind_of(lines[i]), lines[i]}); !done)
        return wrap(std::move(done).error(), fmt::format("line {}", i + 1));
    return {};
  };
}

// The file may be rotated between the two opens. Then both names lead to the same file.
Result<EventFileReader> EventFileReader::open(const std::string& path, Progress progress) {
  constexpr char kOperation[] = "read events";
  EventFileReader reader;
  reader.path_ = path;
  reader.progress_ = std::move(progress);
  for (int tries = 0; tries < kOpenTries; tries++) {
    HF_TRY_ASSIGN(reader.newer_, kernel::LineReader::open(path, kOperation, kMaxLineBytes));
    auto older = kernel::LineReader::open(path + ".1", kOperation, kMaxLineBytes);
    if (!older && older.error().code != ENOENT) return std::move(older).error();
    if (!older) return reader;
    if (older->is_same_file(*reader.newer_)) continue;
    reader.older_ = *std::move(older);
    return reader;
  }
  return reader;  // a link to the same events
}

Result<void> EventFileReader::read(const LineSink& sink) {
  cut_off_ = false;
  if (older_) HF_TRY(read_one(*older_, path_ + ".1", 0, sink));
  return read_one(*newer_, path_, older_ ? older_->bytes_read() : 0, sink);
}

Result<void> EventFileReader::read_one(kernel::LineReader& file, const std::string& path,
                                       std::uint64_t done, const LineSink& sink) {
  const std::uint64_t total =
      newer_->size() == 0 ? 0 : newer_->size() + (older_ ? older_->size() : 0);
  while (true) {
    HF_TRY_ASSIGN(const auto line, file.next());
    if (!line) return {};
    if (progress_ && file.number() % kLinesPerReport == 0)
      progress_(done + file.bytes_read(), total);
    if (line->empty()) continue;
    if (!file.is_whole() && !line->ends_with('}')) {
      cut_off_ = true;
      continue;
    }
    if (auto taken = sink({kind_of(*line), *line}); !taken)
      return wrap(wrap(std::move(taken).error(), fmt::format("line {}", file.number())), path);
  }
}

void EventIds::add(std::uint64_t id) {
  count_++;
  if (smallest_.size() == kKept && id >= smallest_.back()) return;
  if (smallest_.size() == kKept) smallest_.pop_back();
  smallest_.insert(std::ranges::upper_bound(smallest_, id), id);
}

void EventIds::add(const EventIds& ids) {
  std::vector<std::uint64_t> all;
  all.reserve(smallest_.size() + ids.smallest_.size());
  std::ranges::merge(smallest_, ids.smallest_, std::back_inserter(all));
  if (all.size() > kKept) all.resize(kKept);
  smallest_ = std::move(all);
  count_ += ids.count_;
}

std::string event_list(const EventIds& ids) {
  if (ids.empty()) return "";
  std::string text = ids.count() == 1 ? "event " : "events ";
  for (std::size_t i = 0; i < ids.smallest().size() && i < kIdsShown; i++)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", ids.smallest()[i]);
  if (ids.count() > kIdsShown) text += fmt::format(" and {} more", ids.count() - kIdsShown);
  return text;
}

}  // namespace holdfast::policy
