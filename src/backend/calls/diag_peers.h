// SPDX-License-Identifier: Apache-2.0
// The other end of a unix socket, asked of the kernel from outside: the inode of the one at the
// other end, and that this one's other end is the first. So both are sure, whatever numbers are
// reused.
//
// Its labels are those kept here or, where the kernel keeps them, those of a descriptor of it that
// some process has.
#ifndef HOLDFAST_BACKEND_CALLS_DIAG_PEERS_H
#define HOLDFAST_BACKEND_CALLS_DIAG_PEERS_H

#include <vector>

#include "backend/backend.h"
#include "backend/calls/socket_facts.h"
#include "kernel/sockets/unix_diag.h"

namespace holdfast::backend::calls {

class DiagPeers final : public Peers {
 public:
  // Knows the sockets of this network namespace and of the child's own, if it has one. Not those of
  // network namespaces that the tree makes. The caller has one thread. All borrowed.
  static Result<DiagPeers> create(const Child& child, const kernel::Proc& proc,
                                  const LabelNames& label_names, SocketLabels& labels);

  // Knows none.
  static Result<DiagPeers> nobody(const kernel::Proc& proc, const LabelNames& label_names,
                                  SocketLabels& labels) {
    return DiagPeers(proc, label_names, labels);
  }

  // Errors: ENOENT it is in a network namespace that is not known; ESTALE; ENODEV nobody who can be
  // looked into has the other end.
  [[nodiscard]] Result<Peer> of(int socket_fd) override;

  // Whom a unix socket that connects to this file finds.
  struct Bound {
    int type;  // SOCK_*
    LabelIds labels;
  };
  // Errors: ENOENT nobody who is known; EEXIST it may be one of several; those above.
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
