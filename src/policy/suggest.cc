// SPDX-License-Identifier: Apache-2.0
// The distance is the optimal string alignment: each substring is edited at most once. Names are
// short, so a quadratic table is fast enough. Long words are not compared.
#include "policy/suggest.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxWordBytes = 64;

// The largest distance of a suggestion: half of a short word, a third of a long one. "nett"
// suggests "net", and "foo" does not.
std::size_t most_edits(std::size_t length) {
  return length <= 4 ? 1 : length <= 6 ? 2 : length / 3;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); j++) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); i++) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({change, last[j] + 1, current[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(current);
  }
  return last[b.size()];
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kMaxWordBytes) return "";
  std::string_view best;
  std::size_t least = most_edits(word.size()) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kMaxWordBytes) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best.empty() ? "" : fmt::format("did you mean '{}'?", best);
}

std::string suggest(std::string_view word, Names candidates) {
  std::vector<std::string_view> words;
  for (const Name& name : candidates) words.push_back(name.text);
  return suggest(word, words);
}

}  // namespace holdfast::policy
