// SPDX-License-Identifier: Apache-2.0
#include "kernel/unix_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/namespaced_call.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr std::size_t kAnswerBytes = 4096;  // one socket's; few attributes are asked for

Result<Fd> open_netlink() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return system_error("socket", "sock_diag");
  return fd;
}

struct Request {
  nlmsghdr header;
  unix_diag_req body;
};

Result<UnixSocket> understand(const nlmsghdr& header) {
  const Error broken{EPROTO, "understand", "sock_diag", {}};
  if (header.nlmsg_len < NLMSG_LENGTH(sizeof(unix_diag_msg))) return broken;
  const auto* message = static_cast<const unix_diag_msg*>(NLMSG_DATA(&header));
  UnixSocket found = {message->udiag_ino,
                      message->udiag_cookie[0] | std::uint64_t{message->udiag_cookie[1]} << 32,
                      false, 0};
  auto left = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
  for (const auto* at = reinterpret_cast<const rtattr*>(message + 1); RTA_OK(at, left);
       at = RTA_NEXT(at, left)) {
    if (at->rta_type != UNIX_DIAG_PEER) continue;
    if (RTA_PAYLOAD(at) < sizeof(__u32)) return broken;
    __u32 inode = 0;
    std::memcpy(&inode, RTA_DATA(at), sizeof(inode));
    found.connected = true;
    found.peer_inode = inode;
  }
  return found;
}

}  // namespace

Result<UnixDiag> UnixDiag::open() {
  auto fd = open_netlink();
  if (!fd) return fd.error();
  return UnixDiag(std::move(*fd));
}

Result<UnixDiag> UnixDiag::open_in(int user_fd, int network_fd) {
  auto fd = call_in_namespaces({.user_fd = user_fd, .network_fd = network_fd}, open_netlink);
  if (!fd) return fd.error();
  return UnixDiag(std::move(*fd));
}

Result<UnixSocket> UnixDiag::find(std::uint64_t inode, std::optional<std::uint64_t> cookie) {
  Request request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = ++sequence_;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = ~0u;
  request.body.udiag_ino = static_cast<__u32>(inode);
  request.body.udiag_show = UDIAG_SHOW_PEER;
  request.body.udiag_cookie[0] = cookie ? static_cast<__u32>(*cookie) : ~0u;  // INET_DIAG_NOCOOKIE
  request.body.udiag_cookie[1] = cookie ? static_cast<__u32>(*cookie >> 32) : ~0u;
  if (::send(fd_.get(), &request, sizeof(request), 0) < 0) return system_error("ask", "sock_diag");
  alignas(nlmsghdr) std::array<char, kAnswerBytes> answer;
  for (;;) {
    // Whatever the answer is, it was there when send() returned.
    const ssize_t bytes = ::recv(fd_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    if (bytes < 0) return system_error("ask", "sock_diag");
    const auto& header = *reinterpret_cast<const nlmsghdr*>(answer.data());
    if (!NLMSG_OK(&header, static_cast<unsigned>(bytes)))
      return Error{EPROTO, "understand", "sock_diag", {}};
    if (header.nlmsg_seq != sequence_) continue;  // of a question that was given up
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) return understand(header);
    const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(&header));
    return Error{header.nlmsg_type == NLMSG_ERROR && error->error < 0 ? -error->error : EPROTO,
                 "ask",
                 "sock_diag",
                 {}};
  }
}

}  // namespace holdfast::kernel
