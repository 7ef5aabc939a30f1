// SPDX-License-Identifier: Apache-2.0
// Unix sockets and their other ends, as the kernel knows them: sock_diag(7), net/unix/diag.c.
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
  std::uint64_t cookie;  // as SO_COOKIE
  bool connected;        // there is another end
  // Of the other end; 0: it is closed, or nobody has accepted it yet.
  std::uint64_t peer_inode;
  int type = 0;                     // SOCK_*
  bool established = false;         // connected or accepted: it takes no connections
  std::optional<BoundFile> file{};  // that it, or who accepted it, is bound to. 32 bits of each
};

// Asks one network namespace. A socket is in that of who made or, for an accepted one, connected
// it. One thread at a time.
class UnixDiag {
 public:
  // Of the calling thread's network namespace.
  static Result<UnixDiag> open();
  // Of another one, entered by way of its user namespace (-1: the caller's). Forks: the caller has
  // one thread.
  static Result<UnixDiag> open_in(int user_fd, int network_fd);

  // The socket with this inode, and, if it is given, this cookie. Errors: ENOENT none in this
  // namespace, or a kernel without unix_diag; ESTALE another one has the inode.
  [[nodiscard]] Result<UnixSocket> find(std::uint64_t inode, std::optional<std::uint64_t> cookie);

  // Those that somebody who connects to this file may find: what was accepted there is not among
  // them. Errors: EOVERFLOW the file's number has more than the 32 bits that are compared.
  [[nodiscard]] Result<std::vector<UnixSocket>> bound_to(const BoundFile& file);

 private:
  explicit UnixDiag(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_UNIX_DIAG_H
