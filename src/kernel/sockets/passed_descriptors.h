// SPDX-License-Identifier: Apache-2.0
// Passes descriptors over unix sockets: SCM_RIGHTS of unix(7).
#ifndef HOLDFAST_KERNEL_SOCKETS_PASSED_DESCRIPTORS_H
#define HOLDFAST_KERNEL_SOCKETS_PASSED_DESCRIPTORS_H

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

inline constexpr std::size_t kMaxDescriptors = 8;  // in one message
// In one packet: SCM_MAX_FD of the kernel.
inline constexpr std::size_t kMaxPacketDescriptors = 253;

// Appends the available bytes, at most 64 KiB, to `to`, and the received descriptors,
// close-on-exec, to `descriptors`. False: the peer has closed. Does not wait. Errors: of
// recvmsg(2); EPROTO, more than kMaxDescriptors.
[[nodiscard]] Result<bool> receive_with_descriptors(int socket_fd, std::string& to,
                                                    std::vector<Fd>& descriptors);

// A reader that must not block can use read_plain() on a stream from an untrusted sender. A process
// that receives a byte with a descriptor may become the last holder of an open file. The same
// applies to a process that closes the socket with such a byte unread. Its close(2) may then block
// for any time. read_plain() receives no such byte. prepare_plain() comes before the first
// read_plain(). Else the kernel would discard a byte sent with MSG_OOB together with its
// descriptors (manage_oob() of net/unix/af_unix.c). Errors: of setsockopt(2).
[[nodiscard]] Result<void> prepare_plain(int socket_fd);
enum class Plain {
  nothing,      // no byte is available
  bytes,        // bytes were appended
  descriptors,  // the available bytes have a descriptor; nothing was received
  ended,        // the peer has closed, and all bytes were received
};
// Appends at most `max_bytes` bytes, and at most 64 KiB. Does not wait. The caller must be the only
// reader of the socket. Errors: of recvmsg(2).
[[nodiscard]] Result<Plain> read_plain(int socket_fd, std::string& to, std::size_t max_bytes);
// shutdown(2) in both directions. After it, neither end can send. Bytes sent earlier can still be
// received. Ignores errors.
void shutdown_both(int socket_fd);
// The same, for which it matters. Errors: of shutdown(2).
[[nodiscard]] Result<void> try_shutdown(int socket_fd);

// Sends `bytes`, with borrowed descriptors attached to the first byte sent. Returns the number of
// bytes sent; 0: the buffer is full, or EINTR. Does not wait. Errors: of sendmsg(2), EPIPE without
// a signal; EINVAL, more than kMaxDescriptors.
[[nodiscard]] Result<std::size_t> send_with_descriptors(int socket_fd, std::string_view bytes,
                                                        const std::vector<int>& descriptors);
// Waits for one message of a SOCK_SEQPACKET channel, and appends its descriptors to `descriptors`.
// nullopt: the peer has closed, or the message is empty. Errors: of recvmsg(2), EINTR; EPROTO, the
// message has more than `most` bytes; EMFILE, no room for a descriptor.
[[nodiscard]] Result<std::optional<std::string>> receive_packet(int socket_fd, std::size_t most,
                                                                std::vector<Fd>& descriptors);
// Sends one message with borrowed descriptors. Waits for buffer space, at most for SO_SNDTIMEO.
// Errors: of sendmsg(2), EPIPE without a signal; EINVAL, more than kMaxPacketDescriptors.
[[nodiscard]] Result<void> send_packet(int socket_fd, std::string_view bytes,
                                       const std::vector<int>& descriptors);
// Sends one message, or none if there is no room: false. Does not wait. Errors: of send(2), EPIPE
// without a signal.
[[nodiscard]] Result<bool> try_send_packet(int socket_fd, std::string_view bytes);
// Receives one message of at most `most` bytes without its descriptors, from a sender that is
// trusted to send none. nullopt: there is none now. Does not wait. Errors: of recv(2); EPIPE, the
// peer has closed.
[[nodiscard]] Result<std::optional<std::string>> try_receive_packet(int socket_fd,
                                                                    std::size_t most);
// shutdown(2) for reading: the peer cannot send. Ignores errors.
void shutdown_reading(int socket_fd);
// Has the peer closed its end?
[[nodiscard]] bool has_hung_up(int socket_fd);
// The two ends of a unix stream, non-blocking. Errors: of socketpair(2).
[[nodiscard]] Result<std::array<Fd, 2>> make_stream();
// shutdown(2) for writing: the peer reads the end of the stream. Ignores errors.
void shutdown_write(int socket_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_PASSED_DESCRIPTORS_H
