// SPDX-License-Identifier: Apache-2.0
#include "rpc/inbox.h"

namespace holdfast::rpc {

bool Inbox::has_message() {
  scanned_ = bytes_.find('\0', scanned_);
  if (scanned_ != std::string::npos) return true;
  scanned_ = bytes_.size();
  return false;
}

std::optional<std::string> Inbox::take() {
  if (!has_message()) return std::nullopt;
  std::string message = bytes_.substr(begin_, scanned_ - begin_);
  begin_ = ++scanned_;
  if (begin_ * 2 >= bytes_.size()) {
    bytes_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  return message;
}

}  // namespace holdfast::rpc
