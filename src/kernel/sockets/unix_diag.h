// SPDX-License-Identifier: Apache-2.0
// Finds unix sockets and their peers: sock_diag(7), net/unix/diag.c.
#ifndef HOLDFAST_KERNEL_SOCKETS_UNIX_DIAG_H
#define HOLDFAST_KERNEL_SOCKETS_UNIX_DIAG_H

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/files/bound_file.h"

namespace holdfast::kernel {

struct UnixSocket {
  std::uint64_t inode;
  std::uint64_t cookie;  // SO_COOKIE
  bool connected;        // it has a peer
  // 0: the peer is closed, or is not accepted yet.
  std::uint64_t peer_inode;
  int type = 0;              // SOCK_*
  bool established = false;  // connected or accepted: it takes no connections
  // The file to which it, or the listener that accepted it, is bound; only the low 32 bits of each
  // number. nullopt: none, or not requested (find()).
  std::optional<BoundFile> file{};
};

// Queries one network namespace. A socket is in the network namespace of the task that created it.
// An accepted socket is in that of the task that connected. One thread at a time.
class UnixDiag {
 public:
  // Queries the calling thread's network namespace. Errors: of socket(2).
  static Result<UnixDiag> open();
  // Queries another network namespace, which a child enters after its user namespace (-1: the
  // caller's). Both descriptors are borrowed. Forks: the caller must have one thread. Errors: of
  // call_in_namespaces() and socket(2).
  static Result<UnixDiag> open_in(int user_fd, int network_fd);

  // The socket with this inode number and, if given, this cookie. Does not wait. Errors: ENOENT, no
  // such socket in this namespace, or the kernel has no unix_diag; ESTALE, another socket has the
  // inode number; EPROTO.
  [[nodiscard]] Result<UnixSocket> find(std::uint64_t inode, std::optional<std::uint64_t> cookie);

  // The sockets that a connect(2) to this file may reach; accepted sockets are not among them.
  // Dumps all unix sockets of the namespace. Errors: EOVERFLOW, a number of the file has more than
  // the 32 bits that the kernel reports; EPROTO.
  [[nodiscard]] Result<std::vector<UnixSocket>> bound_to(const BoundFile& file);

 private:
  explicit UnixDiag(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_UNIX_DIAG_H
