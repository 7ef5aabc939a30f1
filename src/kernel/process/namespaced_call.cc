// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/namespaced_call.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/process/process.h"

namespace holdfast::kernel {
namespace {

// The child's only message: an error, or success with an attached descriptor.
struct Answer {
  int code = 0;
  int descriptors = 0;
  std::array<char, 64> operation{};
  std::array<char, 256> object{};
  std::array<char, 256> detail{};
};

template <std::size_t N>
void put(std::array<char, N>& field, const std::string& text) {
  std::memcpy(field.data(), text.data(), std::min(text.size(), N - 1));
}

Result<Fd> join_and_call(const NamespacesToJoin& namespaces,
                         const std::function<Result<Fd>()>& call) {
  // The user namespace comes first: the other setns(2) calls need its capabilities.
  if (namespaces.user_fd >= 0 && ::setns(namespaces.user_fd, CLONE_NEWUSER) != 0)
    return Error{errno, "enter the user namespace", "", ""};
  if (namespaces.mount_fd < 0) {
    if (::unshare(CLONE_NEWNS) != 0) return Error{errno, "make a mount namespace", "", ""};
  } else if (::setns(namespaces.mount_fd, CLONE_NEWNS) != 0) {
    return Error{errno, "enter the mount namespace", "", "it may belong to another user namespace"};
  }
  if (namespaces.network_fd >= 0 && ::setns(namespaces.network_fd, CLONE_NEWNET) != 0)
    return Error{errno, "enter the network namespace", "", ""};
  // Become root of the user namespace, if it maps root, so that new files belong to root. Else go
  // on with the present ids: the capabilities are sufficient.
  [[maybe_unused]] const bool is_root = ::setresgid(0, 0, 0) == 0 && ::setresuid(0, 0, 0) == 0;
  return call();
}

void send_answer(int channel_fd, const Result<Fd>& result) {
  Answer answer;
  if (!result) {
    answer.code = result.error().code != 0 ? result.error().code : ECANCELED;
    put(answer.operation, result.error().operation);
    put(answer.object, result.error().object);
    put(answer.detail, result.error().detail);
  }
  answer.descriptors = result && *result ? 1 : 0;
  iovec data{&answer, sizeof(answer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (result && *result) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = result->get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  while (::sendmsg(channel_fd, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

Result<Fd> receive_answer(int channel_fd) {
  Answer answer;
  iovec data{&answer, sizeof(answer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t bytes = 0;
  do bytes = ::recvmsg(channel_fd, &message, MSG_CMSG_CLOEXEC);
  while (bytes < 0 && errno == EINTR);
  Fd received;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message); bytes > 0 && header != nullptr) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    received.reset(fd);
  }
  if (bytes != sizeof(answer)) return Error{ECANCELED, "receive from the child", "", "it died"};
  if (answer.code != 0)
    return Error{answer.code, answer.operation.data(), answer.object.data(), answer.detail.data()};
  if (answer.descriptors > 0 && !received) return Error{EMFILE, "receive a descriptor", "", ""};
  return received;
}

}  // namespace

Result<ProcessNamespaces> process_namespaces(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid);
  const Fd process(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process) return Error{ESRCH, "find process", std::to_string(pid), ""};
  ProcessNamespaces out{Fd(::openat(process.get(), "ns/user", O_RDONLY | O_CLOEXEC)),
                        Fd(::openat(process.get(), "ns/mnt", O_RDONLY | O_CLOEXEC))};
  if (out.user && out.mount) return out;
  const int code = errno == ENOENT ? ESRCH : errno;  // it has died, or is a zombie
  return Error{code, "open the namespaces of process", std::to_string(pid), ""};
}

Result<Fd> open_unchecked_namespace(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return Error{errno, "open", path, ""};
  return file;
}

Result<Fd> call_in_namespaces(const NamespacesToJoin& namespaces,
                              const std::function<Result<Fd>()>& call) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error{errno, "socketpair", "", ""};
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return Error{errno, "fork", "", ""};
  if (child == 0) {
    send_answer(theirs.get(), join_and_call(namespaces, call));
    ::_exit(0);
  }
  theirs.reset();  // else the receive would not end when the child dies
  Result<Fd> result = receive_answer(ours.get());
  wait_for_end(child);
  return result;
}

}  // namespace holdfast::kernel
