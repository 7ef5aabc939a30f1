// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/diag_peers.h"

#include <cerrno>
#include <string_view>

#include "kernel/proc/open_files.h"
#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::calls {
namespace {

// A duplicate of the socket, if this process has it.
Fd take_from(pid_t pid, const kernel::UnixSocket& socket) {
  const auto files = kernel::open_files(pid);
  const std::string target = "socket:[" + std::to_string(socket.inode) + "]";
  if (!files) return {};
  for (const kernel::OpenFile& file : *files) {
    if (file.target != target) continue;
    const auto pidfd = kernel::open_pidfd(pid);
    if (!pidfd) return {};
    auto fd = kernel::duplicate_from(pidfd->get(), file.number);
    if (!fd) continue;
    const auto cookie = kernel::socket_cookie(fd->get());
    if (cookie && *cookie == socket.cookie) return std::move(*fd);
  }
  return {};
}

}  // namespace

Result<DiagPeers> DiagPeers::create(const Child& child, const kernel::Proc& proc,
                                    const LabelNames& label_names, SocketLabels& labels) {
  DiagPeers peers(proc, label_names, labels);
  HF_TRY_ASSIGN(auto own, kernel::UnixDiag::open());
  peers.networks_.push_back(std::move(own));
  const int network_fd = child.namespace_fd[kernel::kNetNamespace];
  if (network_fd < 0) return peers;
  HF_TRY_ASSIGN(auto inside,
                kernel::UnixDiag::open_in(child.namespace_fd[kernel::kUserNamespace], network_fd));
  peers.networks_.push_back(std::move(inside));
  return peers;
}

Result<Peer> DiagPeers::of(int socket_fd) {
  HF_TRY_ASSIGN(const auto file, kernel::describe_file(socket_fd));
  HF_TRY_ASSIGN(const auto cookie, kernel::socket_cookie(socket_fd));
  Result<Peer> found = Error{ENOENT, "find the peer", {}, {}};
  for (kernel::UnixDiag& diag : networks_) {
    found = find_in(diag, socket_fd, file.inode, cookie);
    if (found || (found.error().code != ENOENT && found.error().code != ESTALE)) break;
  }
  return found;
}

Result<Peer> DiagPeers::find_in(kernel::UnixDiag& diag, int socket_fd, std::uint64_t inode,
                                std::uint64_t cookie) {
  HF_TRY_ASSIGN(const auto own, diag.find(inode, cookie));
  if (!own.connected) return Peer{};
  if (own.peer_inode == 0) return Peer{Peer::State::without_file};
  HF_TRY_ASSIGN(const auto peer, diag.find(own.peer_inode, std::nullopt));
  if (peer.peer_inode != inode) return Error{ESTALE, "find the peer", {}, {}};
  HF_TRY_ASSIGN(const auto labels, labels_of(socket_fd, peer));
  return Peer{Peer::State::known, labels};
}

Result<DiagPeers::Bound> DiagPeers::bound_to(const kernel::BoundFile& file) {
  std::vector<kernel::UnixSocket> found;
  for (kernel::UnixDiag& diag : networks_) {
    HF_TRY_ASSIGN(const auto here, diag.bound_to(file));
    found.insert(found.end(), here.begin(), here.end());
  }
  if (found.empty()) return Error{ENOENT, "find a bound socket", {}, {}};
  if (found.size() > 1) return Error{EEXIST, "find a bound socket", {}, {}};
  HF_TRY_ASSIGN(const auto labels, labels_of(-1, found.front()));
  return Bound{found.front().type, labels};
}

// Searches the process of SO_PEERCRED first. It may have passed the socket on, so then all others.
Result<LabelIds> DiagPeers::labels_of(int socket_fd, const kernel::UnixSocket& peer) const {
  if (labels_.kernel() == SocketAttributes::emulated) return reader_.read(-1, peer.cookie);
  Fd fd;
  if (const auto who = kernel::peer_credentials(socket_fd); who && who->pid > 0)
    fd = take_from(who->pid, peer);
  if (!fd)
    for (const pid_t pid : proc_.processes())
      if ((fd = take_from(pid, peer))) break;
  if (!fd)
    return Error{ENODEV, "find the peer", {}, "no process that can be inspected has it open"};
  return reader_.read(fd.get(), peer.cookie);
}

}  // namespace holdfast::backend::calls
