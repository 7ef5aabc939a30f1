// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "kernel/files/atomic_file.h"

namespace holdfast::daemon {

Result<EventLog> EventLog::open(std::string path, std::uint64_t most_bytes) {
  if (auto made = kernel::make_directories(path.substr(0, path.rfind('/'))); !made)
    return std::move(made).error();
  auto fd = kernel::open_for_appending(path);
  if (!fd) return std::move(fd).error();
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  return EventLog(std::move(path), most_bytes, *std::move(fd), failed ? 0 : bytes);
}

Result<void> EventLog::append(std::string_view json) {
  if (bytes_ + json.size() + 1 > most_bytes_)
    if (auto rotated = rotate(); !rotated) return rotated;
  std::string line(json);
  line += '\n';
  if (auto written = kernel::append_all(fd_.get(), line); !written) return written;
  bytes_ += line.size();
  return {};
}

Result<void> EventLog::rotate() {
  std::error_code failed;
  std::filesystem::rename(path_, path_ + ".1", failed);
  if (failed) return Error{failed.value(), "rotate", path_, {}};
  auto fd = kernel::open_for_appending(path_);
  if (!fd) return std::move(fd).error();
  fd_ = *std::move(fd);
  bytes_ = 0;
  return {};
}

}  // namespace holdfast::daemon
