// SPDX-License-Identifier: Apache-2.0
// Copying what somebody else may be changing meanwhile.
#ifndef HOLDFAST_LABEL_SETTLE_H
#define HOLDFAST_LABEL_SETTLE_H

#include <utility>

#include "base/result.h"

namespace holdfast::label {

// Whoever changes a label in a loop must not keep a start waiting: after this many looks he is not
// waited for.
constexpr unsigned kMaxLooks = 8;

enum class Settled { yes, no };

// Writes what `look()` finds until a look after the writing finds the same. Settled::no: it did not
// in kMaxLooks rounds, and what was written last may be wrong. Errors: what writing gave.
template <typename Look, typename Write>
[[nodiscard]] Result<Settled> settle(const Look& look, const Write& write) {
  auto found = look();
  if (found.empty()) return Settled::yes;
  for (unsigned round = 0; round < kMaxLooks; round++) {
    HF_TRY(write(found));
    auto now = look();
    if (now == found) return Settled::yes;
    found = std::move(now);
  }
  return Settled::no;
}

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_SETTLE_H
