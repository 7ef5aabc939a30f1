// SPDX-License-Identifier: Apache-2.0
// The other end of a unix socket, as a program sees it (bpf/run/userspace_requests.bpf.h).
#ifndef HOLDFAST_BACKEND_LSM_RUN_SEEN_PEERS_H
#define HOLDFAST_BACKEND_LSM_RUN_SEEN_PEERS_H

#include "backend/calls/socket_facts.h"

namespace holdfast::backend::lsm {

// Borrows the map.
class SeenPeers final : public calls::Peers {
 public:
  explicit SeenPeers(int map_fd) : map_fd_(map_fd) {}

  // Of a socket that is connected. Errors: of getpeername(2) and of reading the map.
  [[nodiscard]] Result<calls::Peer> of(int socket_fd) override;

 private:
  int map_fd_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_SEEN_PEERS_H
