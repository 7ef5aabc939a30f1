// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "kernel/sockets/stream.h"

namespace holdfast::cli {
namespace {

constexpr std::chrono::milliseconds kFirstAfter(2000);
constexpr std::chrono::milliseconds kBetween(250);

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); unit++) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

Progress::Progress(std::string command, const std::string& when) : command_(std::move(command)) {
  wanted_ = when == "always" || (when == "auto" && kernel::is_terminal(STDERR_FILENO));
  due_ = begun_ + (when == "always" ? Clock::duration::zero() : Clock::duration(kFirstAfter));
}

Progress::~Progress() { erase(); }

void Progress::erase() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

void Progress::show(std::uint64_t done, std::uint64_t total) {
  if (!wanted_ || Clock::now() < due_) return;
  due_ = Clock::now() + kBetween;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
  std::string text = fmt::format("holdfast {}: ", command_);
  if (total == 0) {
    text += bytes_text(done);
  } else {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    text += fmt::format("{:.0f}% of {}", part * 100, bytes_text(total));
    if (part > 0.02) text += fmt::format(", {:.0f} s left", seconds / part - seconds);
  }
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

}  // namespace holdfast::cli
