// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/journal.h"

#include <utility>

#include "kernel/sockets/local_socket.h"

namespace holdfast::kernel {

// A value that contains a newline follows its length, 64 bits little endian.
std::string journal_entry(const std::vector<JournalField>& fields) {
  std::string entry;
  for (const JournalField& field : fields) {
    entry += field.name;
    if (field.value.find('\n') == std::string::npos) {
      entry += '=';
    } else {
      entry += '\n';
      for (unsigned shift = 0; shift < 64; shift += 8)
        entry += static_cast<char>(std::uint64_t{field.value.size()} >> shift);
    }
    entry += field.value;
    entry += '\n';
  }
  return entry;
}

Result<void> send_to_journal(const std::vector<JournalField>& fields, const std::string& socket) {
  return wrap(send_datagram(socket, journal_entry(fields)), "journal");
}

}  // namespace holdfast::kernel
