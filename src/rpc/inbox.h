// SPDX-License-Identifier: Apache-2.0
// Splits a stream of bytes into messages, each terminated by a NUL.
#ifndef HOLDFAST_RPC_INBOX_H
#define HOLDFAST_RPC_INBOX_H

#include <cstddef>
#include <optional>
#include <string>

namespace holdfast::rpc {

// The work is linear in the number of bytes, however the sender splits them. No byte is searched
// for a NUL twice. No byte is moved more than twice: once out of the buffer, and once, amortised,
// by erase().
class Inbox {
 public:
  // The buffer to which the caller appends received bytes. Borrowed.
  [[nodiscard]] std::string& bytes() { return bytes_; }
  // Whether a whole message is available.
  [[nodiscard]] bool has_message();
  // Removes and returns the first message, without its NUL. nullopt: none is complete.
  [[nodiscard]] std::optional<std::string> take();
  // The number of bytes that take() has not removed.
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;    // start of the first message
  std::size_t scanned_ = 0;  // no NUL in [begin_, scanned_)
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_INBOX_H
