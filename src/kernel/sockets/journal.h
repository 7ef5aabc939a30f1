// SPDX-License-Identifier: Apache-2.0
// Entries with fields for systemd's journal: its native protocol,
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

// One entry as it goes over the socket.
[[nodiscard]] std::string journal_entry(const std::vector<JournalField>& fields);

// Waits while the journal is busy. Errors: what sending a datagram gave, ENOENT without a journal.
[[nodiscard]] Result<void> send_to_journal(
    const std::vector<JournalField>& fields,
    const std::string& socket = "/run/systemd/journal/socket");

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_JOURNAL_H
