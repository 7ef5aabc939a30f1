// SPDX-License-Identifier: Apache-2.0
// Sends structured entries to systemd's journal, by its native protocol:
// systemd.io/JOURNAL_NATIVE_PROTOCOL.
#ifndef HOLDFAST_KERNEL_SOCKETS_JOURNAL_H
#define HOLDFAST_KERNEL_SOCKETS_JOURNAL_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

struct JournalField {
  std::string_view name;  // capital letters, digits and _
  std::string value;      // any bytes
};

// Pure. One entry as bytes of the protocol.
[[nodiscard]] std::string journal_entry(const std::vector<JournalField>& fields);

// Blocks while the journal's queue is full. Errors: of send_datagram(), such as ENOENT without a
// journal, and EMSGSIZE for an entry that is too long.
[[nodiscard]] Result<void> send_to_journal(
    const std::vector<JournalField>& fields,
    const std::string& socket = "/run/systemd/journal/socket");

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_JOURNAL_H
