// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/unix_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/process/namespaced_call.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr std::size_t kAnswerBytes = 4096;  // for one socket with few attributes
constexpr std::size_t kListBytes = 32768;   // the kernel's maximum for one message
constexpr unsigned kEstablished = 1;        // TCP_ESTABLISHED, for every family

Result<Fd> open_netlink() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return system_error("socket", "sock_diag");
  return fd;
}

struct Request {
  nlmsghdr header;
  unix_diag_req body;
};

template <typename T>
bool read_attribute(const rtattr* at, T& value) {
  if (RTA_PAYLOAD(at) < sizeof(value)) return false;
  std::memcpy(&value, RTA_DATA(at), sizeof(value));
  return true;
}

Result<UnixSocket> parse_socket(const nlmsghdr& header) {
  const Error broken{EPROTO, "parse", "sock_diag", {}};
  if (header.nlmsg_len < NLMSG_LENGTH(sizeof(unix_diag_msg))) return broken;
  const auto* message = static_cast<const unix_diag_msg*>(NLMSG_DATA(&header));
  UnixSocket found = {message->udiag_ino,
                      message->udiag_cookie[0] | std::uint64_t{message->udiag_cookie[1]} << 32,
                      false,
                      0,
                      message->udiag_type,
                      message->udiag_state == kEstablished,
                      {}};
  auto left = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
  for (const auto* at = reinterpret_cast<const rtattr*>(message + 1); RTA_OK(at, left);
       at = RTA_NEXT(at, left)) {
    if (at->rta_type == UNIX_DIAG_PEER) {
      __u32 inode = 0;
      if (!read_attribute(at, inode)) return broken;
      found.connected = true;
      found.peer_inode = inode;
    } else if (at->rta_type == UNIX_DIAG_VFS) {
      unix_diag_vfs file = {};
      if (!read_attribute(at, file)) return broken;
      found.file = BoundFile{file.udiag_vfs_ino, file.udiag_vfs_dev};
    }
  }
  return found;
}

Request make_request(std::uint32_t sequence) {
  Request request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = sequence;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = ~0u;
  return request;
}

Error netlink_error(const nlmsghdr& header) {
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(&header));
  const bool has_code = header.nlmsg_type == NLMSG_ERROR && error->error < 0;
  return Error{has_code ? -error->error : EPROTO, "query", "sock_diag", {}};
}

}  // namespace

Result<UnixDiag> UnixDiag::open() {
  HF_TRY_ASSIGN(auto fd, open_netlink());
  return UnixDiag(std::move(fd));
}

Result<UnixDiag> UnixDiag::open_in(int user_fd, int network_fd) {
  HF_TRY_ASSIGN(auto fd,
                call_in_namespaces({.user_fd = user_fd, .network_fd = network_fd}, open_netlink));
  return UnixDiag(std::move(fd));
}

Result<UnixSocket> UnixDiag::find(std::uint64_t inode, std::optional<std::uint64_t> cookie) {
  Request request = make_request(++sequence_);
  request.body.udiag_ino = static_cast<__u32>(inode);
  request.body.udiag_show = UDIAG_SHOW_PEER;
  request.body.udiag_cookie[0] = cookie ? static_cast<__u32>(*cookie) : ~0u;  // INET_DIAG_NOCOOKIE
  request.body.udiag_cookie[1] = cookie ? static_cast<__u32>(*cookie >> 32) : ~0u;
  if (::send(fd_.get(), &request, sizeof(request), 0) < 0)
    return system_error("query", "sock_diag");
  alignas(nlmsghdr) std::array<char, kAnswerBytes> answer;
  for (;;) {
    // The kernel queues the answer before send() returns.
    const ssize_t bytes = ::recv(fd_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    if (bytes < 0) return system_error("query", "sock_diag");
    const auto& header = *reinterpret_cast<const nlmsghdr*>(answer.data());
    if (!NLMSG_OK(&header, static_cast<unsigned>(bytes)))
      return Error{EPROTO, "parse", "sock_diag", {}};
    if (header.nlmsg_seq != sequence_) continue;  // of an earlier, abandoned request
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) return parse_socket(header);
    return netlink_error(header);
  }
}

// A dump is not atomic: it may contain a socket twice, and miss a socket that is bound during it.
Result<std::vector<UnixSocket>> UnixDiag::bound_to(const BoundFile& file) {
  constexpr std::uint64_t kMax = 0xffffffff;
  if (file.inode > kMax || file.device > kMax)
    return Error{EOVERFLOW, "find a bound socket", {}, {}};
  Request request = make_request(++sequence_);
  request.header.nlmsg_flags |= NLM_F_DUMP;
  request.body.udiag_show = UDIAG_SHOW_VFS;
  if (::send(fd_.get(), &request, sizeof(request), 0) < 0)
    return system_error("query", "sock_diag");
  std::vector<UnixSocket> found;
  alignas(nlmsghdr) std::array<char, kListBytes> answer;
  for (;;) {
    const ssize_t bytes = ::recv(fd_.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (bytes < 0) return system_error("query", "sock_diag");
    if (static_cast<std::size_t>(bytes) > answer.size())
      return Error{EPROTO, "parse", "sock_diag", {}};
    auto left = static_cast<unsigned>(bytes);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
         NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_seq != sequence_) continue;
      if (header->nlmsg_type == NLMSG_DONE) return found;
      if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return netlink_error(*header);
      HF_TRY_ASSIGN(const auto socket, parse_socket(*header));
      if (socket.file != file || (socket.established && socket.type != SOCK_DGRAM)) continue;
      if (std::ranges::find(found, socket.cookie, &UnixSocket::cookie) == found.end())
        found.push_back(socket);
    }
  }
}

}  // namespace holdfast::kernel
