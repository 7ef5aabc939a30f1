// SPDX-License-Identifier: Apache-2.0
// Writes events to disk, one JSON object a line, for `holdfast why`, `replay` and `learn`.
#ifndef HOLDFAST_DAEMON_EVENT_LOG_H
#define HOLDFAST_DAEMON_EVENT_LOG_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::daemon {

// Two files of bounded size: PATH, and PATH.1 with older events. Each line is written by one call,
// so a crash can truncate only the last line. One thread.
class EventLog {
 public:
  // `most_bytes` is the maximum size of each file. Errors: those of making the directory and of
  // opening the file.
  [[nodiscard]] static Result<EventLog> open(std::string path, std::uint64_t most_bytes);
  // Errors: those of write(2). The line may then be missing or incomplete; earlier lines are not
  // affected.
  [[nodiscard]] Result<void> append(std::string_view json);

 private:
  EventLog(std::string path, std::uint64_t most_bytes, Fd fd, std::uint64_t bytes)
      : path_(std::move(path)), most_bytes_(most_bytes), fd_(std::move(fd)), bytes_(bytes) {}
  [[nodiscard]] Result<void> rotate();

  std::string path_;
  std::uint64_t most_bytes_;
  Fd fd_;
  std::uint64_t bytes_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_EVENT_LOG_H
