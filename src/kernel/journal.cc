// SPDX-License-Identifier: Apache-2.0
#include "kernel/journal.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "kernel/system_error.h"

namespace holdfast::kernel {

// A value with a line's end in it goes with its length, 64 bits little endian, before it.
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

Journal::Journal(std::string socket) : path_(std::move(socket)) {}

Result<void> Journal::send(const std::vector<JournalField>& fields) {
  if (!socket_) socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_) return system_error("socket");
  sockaddr_un address = {};
  if (path_.size() >= sizeof(address.sun_path))
    return Error{ENAMETOOLONG, "send to journal", path_, {}};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const std::string entry = journal_entry(fields);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size() + 1);
  if (::sendto(socket_.get(), entry.data(), entry.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return system_error("send to journal", path_);
  return {};
}

}  // namespace holdfast::kernel
