// SPDX-License-Identifier: Apache-2.0
// The socket that a command line means.
#ifndef HOLDFAST_LABEL_TARGET_H
#define HOLDFAST_LABEL_TARGET_H

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::label {

// A socket, or a path that a unix socket is bound to: the latter's labels are its file's.
class Target {
 public:
  // "PID:FD"; a socket's cookie; "fd:N", which this process has inherited; a path, which has a '/'.
  // Errors: EINVAL: none of these; ENOENT: nothing has this cookie; ENOTSOCK; what opening says.
  static Result<Target> open(std::string_view text);

  // Of the socket, borrowed; -1: it is a path.
  [[nodiscard]] int socket_fd() const { return socket_.get(); }

  // Errors: those of xattr(7). EPERM also where nobody keeps labels of sockets.
  [[nodiscard]] Result<std::string> get(const std::string& name) const;
  [[nodiscard]] Result<std::vector<std::string>> list() const;  // only user.*
  [[nodiscard]] Result<void> set(const std::string& name, std::string_view value) const;
  [[nodiscard]] Result<void> remove(const std::string& name) const;

 private:
  Target() = default;
  Fd socket_;
  std::string path_;  // with no socket_
};

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_TARGET_H
