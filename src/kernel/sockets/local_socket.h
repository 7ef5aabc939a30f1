// SPDX-License-Identifier: Apache-2.0
// Sockets of the unix family: unix(7).
#ifndef HOLDFAST_KERNEL_SOCKETS_LOCAL_SOCKET_H
#define HOLDFAST_KERNEL_SOCKETS_LOCAL_SOCKET_H

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Replaces a socket that nobody listens on any more, and nothing else. Does not block. Errors: of
// bind(2); EADDRINUSE when something answers there; ENOTSOCK what is there is no stream socket: it
// stays; ENAMETOOLONG.
[[nodiscard]] Result<Fd> listen_at(const std::string& path, mode_t mode);
// Takes the name of a listening socket away; of something else, never. Errors: ENOTSOCK; of
// unlink(2), but not ENOENT.
[[nodiscard]] Result<void> remove_socket(const std::string& path);
// Nothing: nobody waits. Does not block.
[[nodiscard]] Result<std::optional<Fd>> accept_one(int listener_fd);
// Blocks. Errors: of connect(2).
[[nodiscard]] Result<Fd> connect_to(const std::string& path);

// One datagram to who is bound there; '@' first means an abstract address. Waits while the receiver
// is busy. Errors: of sendto(2); ENAMETOOLONG.
[[nodiscard]] Result<void> send_datagram(const std::string& path, std::string_view bytes);

// An abstract name ("@…") that is taken as long as the descriptor is open; nothing listens there.
// Errors: of bind(2); ENAMETOOLONG.
[[nodiscard]] Result<Fd> hold_abstract_name(const std::string& name);
// Those of this process's network namespace, every NUL as '@'. Errors: of reading /proc/net/unix.
[[nodiscard]] Result<std::vector<std::string>> abstract_names();

// An unbound one. Errors: of socket(2).
[[nodiscard]] Result<Fd> make_unix_datagram_socket();

struct PeerCredentials {
  pid_t pid = -1;
  uid_t uid = 0;
  gid_t gid = 0;
};
[[nodiscard]] Result<PeerCredentials> peer_credentials(int socket_fd);
// Of the process that connected. Before Linux 6.5 of whoever has its number now. ESRCH: it has
// ended.
[[nodiscard]] Result<Fd> peer_process(int socket_fd);

// Bytes taken; 0: none now. Errors: of send(2), EPIPE without a signal.
[[nodiscard]] Result<std::size_t> send_some(int socket_fd, std::string_view bytes);
// Appends what is there. False: the other side has closed. Errors: of recv(2). `wait`: for the
// first byte.
enum class Wait { no, yes };
[[nodiscard]] Result<bool> receive_some(int socket_fd, std::string& to, Wait wait);

// An extended attribute of the socket file. Errors: of setxattr(2); EPERM before Linux 7.1.
[[nodiscard]] Result<void> label_socket_file(const std::string& path, const std::string& name,
                                             std::string_view value);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_LOCAL_SOCKET_H
