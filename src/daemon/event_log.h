// SPDX-License-Identifier: Apache-2.0
// Events on disk, one JSON object a line, for `holdfast why`, `replay` and `learn`.
#ifndef HOLDFAST_DAEMON_EVENT_LOG_H
#define HOLDFAST_DAEMON_EVENT_LOG_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::daemon {

// Two files of bounded size: PATH, and PATH.1 from before. Each line is one write, so that a crash
// cuts off the last one at most. Not thread safe.
class EventLog {
 public:
  // Errors: what making the directory or opening gave.
  [[nodiscard]] static Result<EventLog> open(std::string path, std::uint64_t most_bytes);
  // Errors: of write(2), then the line is not there, whole; those before are.
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
