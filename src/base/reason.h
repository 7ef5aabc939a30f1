// SPDX-License-Identifier: Apache-2.0
#ifndef HOLDFAST_BASE_REASON_H
#define HOLDFAST_BASE_REASON_H

#include <string>

#include "base/result.h"

namespace holdfast {

// For a sentence that says by itself what failed: the detail, or the whole message if there is none.
[[nodiscard]] inline std::string reason_of(const Error& error) {
  return error.detail.empty() ? error.message() : error.detail;
}

}  // namespace holdfast

#endif  // HOLDFAST_BASE_REASON_H
