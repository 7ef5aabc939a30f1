// SPDX-License-Identifier: Apache-2.0
// Reads event files of `holdfast run --events` and holdfastd: one JSON object a line. The memory does
// not depend on the size of the file.
#ifndef HOLDFAST_EVENTS_EVENT_FILE_H
#define HOLDFAST_EVENTS_EVENT_FILE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/files/line_reader.h"

namespace holdfast::policy {

// decision: a decision about a request. guard: an attack on the enforcement itself (guard_event.h).
// policy: the text of a policy (policy/policy_text.h).
enum class LineKind { decision, guard, policy };

struct EventLine {
  LineKind kind = LineKind::decision;
  std::string_view text;  // borrowed
};

// Called for each line. An error ends the reading.
using LineSink = std::function<Result<void>(const EventLine&)>;

// Calls the sink for each line of some events, in their order. Errors: those of reading and of the
// sink.
using LineSource = std::function<Result<void>(const LineSink&)>;

// Lines in memory; borrowed. An error of the sink gets the number of the line.
[[nodiscard]] LineSource lines_of(const std::vector<std::string>& lines);

// One thread.
class EventFileReader {
 public:
  // How many bytes were read, and of how many; 0: that is not known.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  // Opens PATH, and PATH.1, which has older events, if it exists. The files may be pipes. Errors:
  // those of open(2) and fstat(2); EISDIR.
  [[nodiscard]] static Result<EventFileReader> open(const std::string& path,
                                                    Progress progress = {});

  // Reads the files to their ends, the older one first. An incomplete last line, which a crash can
  // cause, is left out. Errors: those of read(2); EFBIG a line is longer than 64 MiB; of the sink,
  // with the file and the number of the line.
  [[nodiscard]] Result<void> read(const LineSink& sink);

  // After read(): was an incomplete last line left out?
  [[nodiscard]] bool was_cut_off() const { return cut_off_; }

 private:
  [[nodiscard]] Result<void> read_one(kernel::LineReader& file, const std::string& path,
                                      std::uint64_t done, const LineSink& sink);

  std::string path_;
  std::optional<kernel::LineReader> older_;
  std::optional<kernel::LineReader> newer_;
  Progress progress_;
  bool cut_off_ = false;
};

// The ids of any number of events: their number, and the smallest ones.
class EventIds {
 public:
  static constexpr std::size_t kKept = 64;

  EventIds() = default;
  EventIds(std::initializer_list<std::uint64_t> ids) {
    for (const std::uint64_t id : ids) add(id);
  }

  void add(std::uint64_t id);
  void add(const EventIds& ids);
  // At most kKept of them, sorted.
  [[nodiscard]] const std::vector<std::uint64_t>& smallest() const { return smallest_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

  bool operator==(const EventIds&) const = default;

 private:
  std::vector<std::uint64_t> smallest_;
  std::uint64_t count_ = 0;
};

// "events 3, 5, 8 and 4 more". "": there are no ids.
[[nodiscard]] std::string event_list(const EventIds& ids);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_FILE_H
