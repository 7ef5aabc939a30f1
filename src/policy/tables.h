// SPDX-License-Identifier: Apache-2.0
// Validates tables that come from a pinned map, a file or another process.
#ifndef HOLDFAST_POLICY_TABLES_H
#define HOLDFAST_POLICY_TABLES_H

#include <cstddef>

#include "base/result.h"
#include "core/abi.h"

namespace holdfast::policy {

// Checks that the `size` bytes are valid tables: magic, version, length and counts, every index and
// setting within its range, and no restriction in slot 0. `bytes` may have any alignment. Errors:
// EINVAL, with the reason in the detail.
[[nodiscard]] Result<void> validate_tables(const void* bytes, std::size_t size);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_TABLES_H
