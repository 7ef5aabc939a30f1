// SPDX-License-Identifier: Apache-2.0
// Starts the connect helper and sends requests to it. The connect helper is a process that connects
// unix sockets for tasks of the process tree. handler.cc explains why it is needed.
//
// The kernel takes SO_PEERCRED from the process that calls connect(2), and checks the permissions
// of that process on the path and on the socket. So the helper has the credentials, namespaces and
// root directory of the command. It does not have the command's seccomp filter, nor its Landlock
// domain. The tree can neither trace nor inspect it, because the tree is in a Landlock domain and
// the helper is not. The helper acts only for tasks with the same identity as its own, so it does
// nothing that its caller could not do.
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

// The properties that the helper and a task must share before the helper may act for the task.
struct Identity {
  kernel::Credentials credentials;
  std::array<kernel::NamespaceInode, 3> namespaces;  // user, mnt, pid
  kernel::Place root;

  bool operator==(const Identity&) const = default;
};
// Errors: those of reading the task's /proc directory.
[[nodiscard]] Result<Identity> identity_of(const kernel::TaskDirectory& task);

class ConnectHelper {
 public:
  // Starts the helper in the child's namespaces. The calling process has one thread and is still
  // dumpable, because the helper inherits that and its /proc is read here. Waits up to 10 s for
  // each of two steps. Errors: those of making the channel and the process, and of reading its
  // /proc; ECONNABORTED the helper did not start, or did not answer in time.
  static Result<ConnectHelper> start(const Child& child, const kernel::Proc& proc);
  ConnectHelper(ConnectHelper&&) = default;
  ConnectHelper& operator=(ConnectHelper&&) = delete;
  // Kills the helper, and waits up to 1 s for its end.
  ~ConnectHelper();

  // Can the helper act for this task, so that other processes see no difference but the pid? The
  // task is blocked in a notified call.
  [[nodiscard]] bool same_identity_as(const kernel::TaskDirectory& task) const;

  // The calls below block, and may be made on any thread. Errors of all: EINTR this thread was
  // interrupted (kernel::interrupt_thread); ECONNABORTED the helper is dead, is stopped, or did not
  // reply in time; those of making a socket pair. find() and look() wait up to 10 s for the reply.

  struct Found {
    int error = 0;  // the errno that the caller's own connect(2) would get; 0: none
    int probe = 0;  // HelperReply::probe
    Fd file = {};   // O_PATH; find() only
  };
  // Opens the file that `path` names. `directory_fd` is where a relative path starts; -1 if the
  // path is absolute. Error also: ENAMETOOLONG.
  [[nodiscard]] Result<Found> find(const std::string& path, int directory_fd) const;
  // Probes a file that is open already.
  [[nodiscard]] Result<Found> look(int file_fd) const;
  // Connects the socket to the file. Returns 0 or the errno of connect(2). No time limit, until
  // this thread is interrupted: then the helper interrupts its connect(2) and has 10 s to reply.
  // The result is what connect(2) returned, mostly EINTR.
  [[nodiscard]] Result<int> connect(int socket_fd, int file_fd) const;
  // Makes a call of the kinds bind, connect_address, listen, send, or copy. The same time limit.
  // `descriptors` are those that protocol.h names. The reply's `error` is that of the call.
  [[nodiscard]] Result<HelperReply> call(const HelperRequest& request,
                                         const std::vector<int>& descriptors) const;

 private:
  ConnectHelper(Fd channel, Fd process, kernel::TaskDirectory task, Identity identity)
      : channel_(std::move(channel)),
        process_(std::move(process)),
        task_(std::move(task)),
        identity_(std::move(identity)) {}
  struct Reply;
  // soon: fail with ECONNABORTED after kPatienceNs, and with EINTR at once.
  enum class Deadline { none, soon };
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
