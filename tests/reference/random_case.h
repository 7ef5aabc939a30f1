// SPDX-License-Identifier: Apache-2.0
// Random policies and requests. The same seed gives the same ones on every machine.
#ifndef HOLDFAST_TESTS_REFERENCE_RANDOM_CASE_H
#define HOLDFAST_TESTS_REFERENCE_RANDOM_CASE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::reference {

// SplitMix64: the standard library's distributions differ between its versions.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  // From 0 to count - 1. Precondition: count > 0.
  std::uint32_t below(std::uint32_t count) { return static_cast<std::uint32_t>(next() % count); }
  // True once in `times`.
  bool once_in(std::uint32_t times) { return below(times) == 0; }

  std::string_view pick(const std::vector<std::string_view>& words) {
    return words[below(static_cast<std::uint32_t>(words.size()))];
  }

 private:
  std::uint64_t state_;
};

// A policy without mistakes of up to five profiles. Every setting of the language occurs.
[[nodiscard]] std::string random_policy(Random& random);

// Facts that fit the policy, most of the time: some name profiles or bits that do not exist.
[[nodiscard]] hf_request random_request(Random& random, const policy::Compiled& policy);

}  // namespace holdfast::reference

#endif  // HOLDFAST_TESTS_REFERENCE_RANDOM_CASE_H
