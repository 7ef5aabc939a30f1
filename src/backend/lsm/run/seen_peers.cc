// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/seen_peers.h"

#include <bpf/bpf.h>

#include <algorithm>

#include "bpf/run/session.h"
#include "kernel/sockets/sockets.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

// What the map has from a question before is of another socket, or is overwritten now.
Result<calls::Peer> SeenPeers::of(int socket_fd) {
  HF_TRY_ASSIGN(const auto cookie, kernel::socket_cookie(socket_fd));
  hf_seen_peer seen = {};
  const __u32 zero = 0;
  if (bpf_map_update_elem(map_fd_, &zero, &seen, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "seen_peer");
  HF_TRY(kernel::call_getpeername(socket_fd));
  if (bpf_map_lookup_elem(map_fd_, &zero, &seen) != 0)
    return kernel::system_error("read BPF map", "seen_peer");
  calls::Peer peer{.state = calls::Peer::State::without_file};
  if (seen.cookie != cookie) return peer;
  peer.state = calls::Peer::State::known;
  std::ranges::copy(seen.ids, peer.labels.begin());
  return peer;
}

}  // namespace holdfast::backend::lsm
