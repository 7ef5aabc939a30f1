// SPDX-License-Identifier: Apache-2.0
// Tables that come from outside: a pinned map, a file, another process.
#ifndef HOLDFAST_POLICY_TABLES_H
#define HOLDFAST_POLICY_TABLES_H

#include <cstddef>

#include "base/result.h"
#include "core/abi.h"

namespace holdfast::policy {

// Are these `size` bytes tables that hf_decide() can be trusted with: magic, version, length,
// counts, every index and every setting within its range, and slot 0 unrestricted? Any alignment;
// reads nothing beyond `size`. Errors: EINVAL, with what is wrong as detail.
[[nodiscard]] Result<void> validate_tables(const void* bytes, std::size_t size);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_TABLES_H
