// SPDX-License-Identifier: Apache-2.0
// Entries with fields for systemd's journal: its native protocol,
// systemd.io/JOURNAL_NATIVE_PROTOCOL.
#ifndef HOLDFAST_KERNEL_JOURNAL_H
#define HOLDFAST_KERNEL_JOURNAL_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

struct JournalField {
  std::string_view name;  // capital letters, digits and _
  std::string value;      // any bytes
};

// One entry as it goes over the socket.
[[nodiscard]] std::string journal_entry(const std::vector<JournalField>& fields);

// One thread.
class Journal {
 public:
  // Nothing is connected before the first entry: the journal may start later, and restart.
  explicit Journal(std::string socket = "/run/systemd/journal/socket");

  // Waits while the journal is busy. Errors: what socket(2) and sendto(2) say, ENOENT without a
  // journal.
  [[nodiscard]] Result<void> send(const std::vector<JournalField>& fields);

 private:
  std::string path_;
  Fd socket_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_JOURNAL_H
