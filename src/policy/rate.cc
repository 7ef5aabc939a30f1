// SPDX-License-Identifier: Apache-2.0
#include "policy/rate.h"

#include <charconv>

namespace holdfast::policy {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

// Reads tokens from the start of a text.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) { skip_blanks(); }

  [[nodiscard]] bool done() const { return rest_.empty(); }

  std::optional<std::uint32_t> number() {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value == 0 || value > kMaxRateTokens) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  // Expects at least one blank, or the end.
  bool gap() {
    if (done()) return true;
    const std::size_t before = rest_.size();
    skip_blanks();
    return rest_.size() < before;
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  Words words(text);
  Rate rate;
  const auto tokens = words.number();
  if (!tokens || !words.take("/")) return std::nullopt;
  rate.tokens = *tokens;
  rate.burst = *tokens;
  if (words.take("s")) {
    rate.period_ns = kSecondNs;
  } else if (words.take("min")) {
    rate.period_ns = 60 * kSecondNs;
  } else if (words.take("h")) {
    rate.period_ns = 3600 * kSecondNs;
  } else {
    return std::nullopt;
  }
  if (!words.gap()) return std::nullopt;
  if (words.done()) return rate;
  if (!words.take("burst") || words.done() || !words.gap()) return std::nullopt;
  const auto burst = words.number();
  if (!burst || !words.gap() || !words.done()) return std::nullopt;
  rate.burst = *burst;
  return rate;
}

}  // namespace holdfast::policy
