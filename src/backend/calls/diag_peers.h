// SPDX-License-Identifier: Apache-2.0
// Finds the peer of a unix socket through the kernel's unix_diag netlink interface.
//
// The first query returns the inode of the peer. The second checks that the peer's own peer is the
// first socket, so a reused inode number is detected.
//
// The labels come from the store of this process. If the kernel's sockets keep labels, a descriptor
// of the peer has to be found in some process to read them.
#ifndef HOLDFAST_BACKEND_CALLS_DIAG_PEERS_H
#define HOLDFAST_BACKEND_CALLS_DIAG_PEERS_H

#include <vector>

#include "backend/backend.h"
#include "backend/calls/socket_facts.h"
#include "kernel/sockets/unix_diag.h"

namespace holdfast::backend::calls {

class DiagPeers final : public Peers {
 public:
  // Finds sockets in this process's network namespace and in the one that the child was started in.
  // It does not find those in network namespaces that the tree makes later. The calling process has
  // one thread, since this forks. All arguments but `child` are borrowed for the object's life.
  static Result<DiagPeers> create(const Child& child, const kernel::Proc& proc,
                                  const LabelNames& label_names, SocketLabels& labels);

  // Finds no socket: every query fails with ENOENT.
  static Result<DiagPeers> empty(const kernel::Proc& proc, const LabelNames& label_names,
                                 SocketLabels& labels) {
    return DiagPeers(proc, label_names, labels);
  }

  // Errors: ENOENT the socket is in another network namespace; ESTALE the peer changed during the
  // query; ENODEV no process that this one may inspect has the peer open.
  [[nodiscard]] Result<Peer> of(int socket_fd) override;

  // The socket that a unix socket reaches when it connects to a file.
  struct Bound {
    int type;  // SOCK_*
    LabelIds labels;
  };
  // Errors: ENOENT no known socket is bound to the file; EEXIST several are; those of of().
  [[nodiscard]] Result<Bound> bound_to(const kernel::BoundFile& file);

 private:
  DiagPeers(const kernel::Proc& proc, const LabelNames& label_names, SocketLabels& labels)
      : proc_(proc), labels_(labels), reader_(label_names, labels) {}
  [[nodiscard]] Result<Peer> find_in(kernel::UnixDiag& diag, int socket_fd, std::uint64_t inode,
                                     std::uint64_t cookie);
  [[nodiscard]] Result<LabelIds> labels_of(int socket_fd, const kernel::UnixSocket& peer) const;

  const kernel::Proc& proc_;
  SocketLabels& labels_;
  LabelReader reader_;
  std::vector<kernel::UnixDiag> networks_;
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_DIAG_PEERS_H
