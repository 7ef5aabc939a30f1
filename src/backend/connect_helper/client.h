// SPDX-License-Identifier: Apache-2.0
// A process that connects unix sockets for tasks of the tree.
//
// Who connects a unix socket shows in SO_PEERCRED, and its rights are asked for along the path and
// at the socket. So a connect that is to be made on the very socket, and to the very listener, that
// were judged cannot be made by holdfast itself. The door is a process of holdfast's with the
// credentials, namespaces and root directory that the command has, but without the command's
// seccomp filter and Landlock domain: the tree, whose domain is deeper, can neither trace it nor
// look into it. It connects only for who has the same credentials, so what it does is nothing that
// its caller could not do.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_CLIENT_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_CLIENT_H

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/connect_helper/protocol.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/files/bound_file.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::connect_helper {

// What has to be the same for the door to stand in for somebody.
struct Identity {
  kernel::Credentials credentials;
  std::array<kernel::NamespaceInode, 3> namespaces;  // user, mnt, pid
  kernel::Place root;

  bool operator==(const Identity&) const = default;
};
// Errors: those of reading /proc.
[[nodiscard]] Result<Identity> identity_of(const kernel::TaskDirectory& task);

class ConnectHelper {
 public:
  // Starts it, in the child's namespaces. The caller has one thread, and may still be looked into.
  // Errors: of what it takes; EPROTO: it did not come to be what it has to be.
  static Result<ConnectHelper> start(const Child& child, const kernel::Proc& proc);
  ConnectHelper(ConnectHelper&&) = default;
  ConnectHelper& operator=(ConnectHelper&&) = delete;
  ~ConnectHelper();  // ends it, and waits for that, for a moment

  // Is it the same to the world whether this task acts, which is blocked, or the door? Its number
  // apart.
  [[nodiscard]] bool same_identity_as(const kernel::TaskDirectory& task) const;

  // From here on any thread. All wait. Errors: EINTR: this thread was interrupted
  // (kernel::interrupt_thread); ECONNABORTED: the door is dead, is stopped, or takes too long.

  struct Found {
    int error = 0;  // errno, as its caller would get it
    int probe = 0;  // HelperReply
    Fd file = {};   // O_PATH
  };
  // `directory_fd`: where a relative path begins; -1: it is absolute.
  [[nodiscard]] Result<Found> find(const std::string& path, int directory_fd) const;
  [[nodiscard]] Result<Found> look(int file_fd) const;
  // An errno or 0, of connect(2). Interrupted, it is what came of it: EINTR, mostly.
  [[nodiscard]] Result<int> connect(int socket_fd, int file_fd) const;

 private:
  ConnectHelper(Fd channel, Fd process, kernel::TaskDirectory task, Identity identity)
      : channel_(std::move(channel)),
        process_(std::move(process)),
        task_(std::move(task)),
        identity_(std::move(identity)) {}
  struct Reply;
  enum class Deadline { none, soon };  // soon: ECONNABORTED after kPatienceNs
  [[nodiscard]] Result<Reply> ask(const HelperRequest& request, const std::vector<int>& descriptors,
                                  Deadline deadline) const;
  [[nodiscard]] Result<Found> found(const HelperRequest& request,
                                    const std::vector<int>& descriptors) const;
  [[nodiscard]] bool answers() const;

  Fd channel_;
  Fd process_;  // a pidfd
  kernel::TaskDirectory task_;
  Identity identity_;
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_CLIENT_H
