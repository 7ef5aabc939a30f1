// SPDX-License-Identifier: Apache-2.0
// The identity of this machine in a fleet. It is derived from the machine id, which systemd asks to
// keep confidential (machine-id(5)).
#ifndef HOLDFAST_BUNDLE_IDENTITY_H
#define HOLDFAST_BUNDLE_IDENTITY_H

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::bundle {

inline constexpr char kMachineIdFile[] = "/etc/machine-id";

// 32 hexadecimal digits that do not tell the machine id. Errors: those of reading the file; EINVAL
// it has no machine id.
[[nodiscard]] Result<std::string> machine_identity(const std::string& file = kMachineIdFile);

// The number of a machine from 1 to 100, by a hash of its identity. A bundle for the first N percent
// is for the machines whose number is at most N. Errors: EIO libcrypto failed.
[[nodiscard]] Result<unsigned> ring_number(std::string_view identity);

}  // namespace holdfast::bundle

#endif  // HOLDFAST_BUNDLE_IDENTITY_H
