// SPDX-License-Identifier: Apache-2.0
// Bytes of a stream that become messages, each with a NUL behind it.
#ifndef HOLDFAST_RPC_INBOX_H
#define HOLDFAST_RPC_INBOX_H

#include <cstddef>
#include <optional>
#include <string>

namespace holdfast::rpc {

// However the sender cuts his bytes up, the work is proportional to their number: none is searched
// for a NUL twice, and none is moved more than once for itself and once for a byte before it.
class Inbox {
 public:
  // Where bytes are to be appended.
  [[nodiscard]] std::string& bytes() { return bytes_; }
  // Is there a whole message?
  [[nodiscard]] bool has_message();
  // The first one, without its NUL.
  [[nodiscard]] std::optional<std::string> take();
  // Bytes that are not taken yet.
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;    // of what is not taken
  std::size_t scanned_ = 0;  // before this is no NUL that is not taken
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_INBOX_H
