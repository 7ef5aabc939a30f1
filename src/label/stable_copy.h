// SPDX-License-Identifier: Apache-2.0
// Copies a source that other processes may change during the copy.
#ifndef HOLDFAST_LABEL_STABLE_COPY_H
#define HOLDFAST_LABEL_STABLE_COPY_H

#include <utility>

#include "base/result.h"

namespace holdfast::label {

// A process that changes a label in a loop must not delay a start without limit: the copy gives up
// after this many rounds.
inline constexpr unsigned kMaxCopyRounds = 8;

enum class Stability { stable, changing };

// Reads with `read()`, writes the result with `write(found)`, and reads again, until two reads in a
// row are equal. Writes nothing when the first read is empty. Stability::changing: the source
// changed in each of kMaxCopyRounds rounds, so the last write may be out of date. Errors: of
// `write`, at once. Runs on the calling thread.
template <typename Read, typename Write>
[[nodiscard]] Result<Stability> copy_until_stable(const Read& read, const Write& write) {
  auto found = read();
  if (found.empty()) return Stability::stable;
  for (unsigned round = 0; round < kMaxCopyRounds; round++) {
    if (Result<void> written = write(found); !written) return std::move(written).error();
    auto now = read();
    if (now == found) return Stability::stable;
    found = std::move(now);
  }
  return Stability::changing;
}

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_STABLE_COPY_H
