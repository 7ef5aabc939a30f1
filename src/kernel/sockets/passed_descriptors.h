// SPDX-License-Identifier: Apache-2.0
// Descriptors that come with the bytes of a unix socket: SCM_RIGHTS of unix(7). The only codec.
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

inline constexpr std::size_t kMaxDescriptors = 8;  // at a time

// Appends what is there, and the descriptors that came along, close-on-exec. False: the other side
// has closed. Does not wait. Errors: of recvmsg(2); EPROTO: there were more than that.
[[nodiscard]] Result<bool> receive_with_descriptors(int socket_fd, std::string& to,
                                                    std::vector<Fd>& descriptors);

// A stream whose sender may be anybody, read by who must not wait for anybody. Whoever takes a byte
// that a descriptor came with, or closes the socket with such a byte unread, may become the last
// holder of an open file and has to close it, however long that takes. read_plain() takes no such
// byte. Before the first: prepare_plain(), or a byte sent with MSG_OOB would be discarded on the
// way, and its descriptors with it (manage_oob() of net/unix/af_unix.c). Errors: of setsockopt(2).
[[nodiscard]] Result<void> prepare_plain(int socket_fd);
enum class Plain {
  nothing,      // nobody has sent anything more
  bytes,        // appended
  descriptors,  // come with what is next, or soon after: nothing was taken
  ended,        // the other side has closed, and everything was read
};
// Appends at most `most` bytes. Does not wait. The caller is the only reader of the socket. Errors:
// of recvmsg(2).
[[nodiscard]] Result<Plain> read_plain(int socket_fd, std::string& to, std::size_t most);
// From its return on nothing more can be sent either way; what was sent before is still there.
void end_both_ways(int socket_fd);

// They go with the first byte that is taken. Does not wait.
[[nodiscard]] Result<std::size_t> send_with_descriptors(int socket_fd, std::string_view bytes,
                                                        const std::vector<int>& descriptors);
// One message of a SOCK_SEQPACKET channel, at most so many bytes, with the descriptors that came
// along. Waits. Nothing: the other side has closed. Errors: of recvmsg(2), EINTR; EPROTO: it was
// larger, or had more than kMaxDescriptors; EMFILE: this process has no room for one of them. Then
// the message is lost, and `descriptors` has those that there was room for.
[[nodiscard]] Result<std::optional<std::string>> receive_packet(int socket_fd, std::size_t most,
                                                                std::vector<Fd>& descriptors);
// Waits for room, as long as SO_SNDTIMEO says. Errors: of sendmsg(2), EPIPE without a signal.
[[nodiscard]] Result<void> send_packet(int socket_fd, std::string_view bytes,
                                       const std::vector<int>& descriptors);
// The two ends of a stream. Neither blocks.
[[nodiscard]] Result<std::array<Fd, 2>> make_stream();
// The other side reads the end of the stream.
void end_stream(int socket_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_PASSED_DESCRIPTORS_H
