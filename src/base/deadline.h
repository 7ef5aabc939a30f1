// SPDX-License-Identifier: Apache-2.0
// Deadlines, in ns of CLOCK_BOOTTIME, and the timeouts that poll(2) takes.
#ifndef HOLDFAST_BASE_DEADLINE_H
#define HOLDFAST_BASE_DEADLINE_H

#include <cstdint>
#include <limits>

namespace holdfast {

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

// The timeout for poll(2), in ms: -1 for kNever, 0 for a time that has come. It is rounded up, so
// that the time has come when the wait ends. It is at most INT_MAX: the caller has to look again.
[[nodiscard]] constexpr int timeout_ms(std::uint64_t due_ns, std::uint64_t now_ns) {
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  constexpr std::uint64_t kMaxMs = std::numeric_limits<int>::max();
  if (due_ns == kNever) return -1;
  if (due_ns <= now_ns) return 0;
  const std::uint64_t left_ms = (due_ns - now_ns - 1) / kNsPerMs + 1;
  return static_cast<int>(left_ms < kMaxMs ? left_ms : kMaxMs);
}

}  // namespace holdfast

#endif  // HOLDFAST_BASE_DEADLINE_H
