// SPDX-License-Identifier: Apache-2.0
// Shows on standard error how much of a file has been read.
#ifndef HOLDFAST_CLI_PROGRESS_H
#define HOLDFAST_CLI_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast::cli {

// "1.0 GB", "23 kB": decimal units.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

// One line that is written again and again, and erased at the end. One thread.
class Progress {
 public:
  // `when`: auto (if standard error is a terminal, after two seconds), always (at once, also into a
  // file) or never. `command` is named in the line.
  Progress(std::string command, const std::string& when);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Erases the line.
  void erase();
  // `total` 0: it is not known.
  void show(std::uint64_t done, std::uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  std::string command_;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point due_;
  bool wanted_ = false;
  bool shown_ = false;
};

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_PROGRESS_H
