// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "kernel/files/atomic_file.h"

namespace holdfast::daemon {

Result<EventLog> EventLog::open(std::string path, std::uint64_t most_bytes) {
  HF_TRY(kernel::make_directories(path.substr(0, path.rfind('/'))));
  HF_TRY_ASSIGN(auto fd, kernel::open_for_appending(path));
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  return EventLog(std::move(path), most_bytes, std::move(fd), failed ? 0 : bytes);
}

Result<void> EventLog::append(std::string_view json) {
  if (bytes_ + json.size() + 1 > most_bytes_) HF_TRY(rotate());
  std::string line(json);
  line += '\n';
  HF_TRY(kernel::append_all(fd_.get(), line));
  bytes_ += line.size();
  return {};
}

Result<void> EventLog::rotate() {
  std::error_code failed;
  std::filesystem::rename(path_, path_ + ".1", failed);
  if (failed) return Error{failed.value(), "rotate", path_, {}};
  HF_TRY_ASSIGN(fd_, kernel::open_for_appending(path_));
  bytes_ = 0;
  return {};
}

}  // namespace holdfast::daemon
