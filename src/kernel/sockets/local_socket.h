// SPDX-License-Identifier: Apache-2.0
// Unix sockets: unix(7).
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

// A listening, non-blocking stream socket at `path`, with this file mode. Replaces a socket file on
// which no process listens, and no other file. Does not block. Errors: EADDRINUSE, a process
// listens there; ENOTSOCK, another file exists there, or a socket of another type, and it is kept;
// ENAMETOOLONG; of bind(2), chmod(2), listen(2).
[[nodiscard]] Result<Fd> listen_at(const std::string& path, mode_t mode);
// Removes a socket file. Succeeds when there is no such file. Errors: ENOTSOCK, the file is not a
// socket, and it is kept; of open(2), fstatat(2), unlinkat(2).
[[nodiscard]] Result<void> remove_socket(const std::string& path);
// A connection, non-blocking. nullopt: no client waits, or EINTR. Does not block if the listener
// does not. Errors: of accept4(2).
[[nodiscard]] Result<std::optional<Fd>> accept_one(int listener_fd);
// A connected stream socket. Blocks while the listener's queue is full. Errors: of connect(2);
// ENAMETOOLONG.
[[nodiscard]] Result<Fd> connect_to(const std::string& path);

// Sends one datagram to the socket bound to `path`. An initial '@' means an abstract address.
// Blocks while the receiver's queue is full. Errors: of sendto(2); ENAMETOOLONG.
[[nodiscard]] Result<void> send_datagram(const std::string& path, std::string_view bytes);

// Binds an abstract name ("@…"), which stays in use while the descriptor is open. The socket does
// not listen. Errors: EADDRINUSE, the name is in use; of bind(2); ENAMETOOLONG.
[[nodiscard]] Result<Fd> bind_abstract_name(const std::string& name);
// The abstract names in this process's network namespace. Each NUL byte appears as '@'. Source:
// /proc/net/unix. Errors: of read_text_file().
[[nodiscard]] Result<std::vector<std::string>> abstract_names();

// An unbound unix datagram socket, close-on-exec. Errors: of socket(2).
[[nodiscard]] Result<Fd> make_unix_datagram_socket();

struct PeerCredentials {
  pid_t pid = -1;
  uid_t uid = 0;
  gid_t gid = 0;
};
// The credentials of the peer at the time of its connect(2) or listen(2): SO_PEERCRED. Errors: of
// getsockopt(2).
[[nodiscard]] Result<PeerCredentials> peer_credentials(int socket_fd);
// A pidfd of the process that connected. Before Linux 6.5, which has no SO_PEERPIDFD, it is a pidfd
// of the process that has the same number now. Errors: ESRCH, it has ended; of getsockopt(2).
[[nodiscard]] Result<Fd> peer_process(int socket_fd);

// Returns the number of bytes sent. 0: the buffer is full, or EINTR. Blocks if the socket does.
// Errors: of send(2); EPIPE without a signal.
[[nodiscard]] Result<std::size_t> send_some(int socket_fd, std::string_view bytes);
// Appends the available bytes, at most 64 KiB, to `to`. False: the peer has closed. `wait`: whether
// to wait for the first byte. Errors: of recv(2).
enum class Wait { no, yes };
[[nodiscard]] Result<bool> receive_some(int socket_fd, std::string& to, Wait wait);

// Sets an extended attribute of a socket's file. Errors: of setxattr(2); EPERM before Linux 7.1.
[[nodiscard]] Result<void> label_socket_file(const std::string& path, const std::string& name,
                                             std::string_view value);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_LOCAL_SOCKET_H
