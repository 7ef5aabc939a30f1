// SPDX-License-Identifier: Apache-2.0
// The socket, or socket file, that a command line argument names.
#ifndef HOLDFAST_LABEL_TARGET_H
#define HOLDFAST_LABEL_TARGET_H

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::label {

// A socket, or the path of a unix socket's file. The labels of a path are the attributes of the
// file.
class Target {
 public:
  // `text` is "PID:FD", a socket's cookie, "fd:N" for an inherited descriptor N of this process, or
  // a path, which contains a '/'. A path is not opened here. Errors: EINVAL: none of these forms;
  // ENOENT: no process that may be inspected has a socket with this cookie; ENOTSOCK: the
  // descriptor is not a socket; of pidfd_open(2), pidfd_getfd(2) and fcntl(2).
  static Result<Target> open(std::string_view text);

  // Borrowed; -1: the target is a path.
  [[nodiscard]] int socket_fd() const { return socket_.get(); }

  // Errors: of fgetxattr(2) or getxattr(2) and so on. EPERM also when neither the kernel nor a
  // supervisor keeps labels of sockets. Symbolic links in a path are followed.
  [[nodiscard]] Result<std::string> get(const std::string& name) const;
  [[nodiscard]] Result<std::vector<std::string>> list() const;  // only user.*
  [[nodiscard]] Result<void> set(const std::string& name, std::string_view value) const;
  [[nodiscard]] Result<void> remove(const std::string& name) const;

 private:
  Target() = default;
  Fd socket_;
  std::string path_;  // only without socket_
};

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_TARGET_H
