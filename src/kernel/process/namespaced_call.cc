// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/namespaced_call.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"

namespace holdfast::kernel {
namespace {

// The child's only message: an error, or success with an attached descriptor.
struct Answer {
  int code = 0;
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
  const std::string_view bytes(reinterpret_cast<const char*>(&answer), sizeof(answer));
  std::vector<int> descriptors;
  if (result && *result) descriptors.push_back(result->get());
  auto sent = send_packet(channel_fd, bytes, descriptors);
  while (!sent && sent.error().code == EINTR) sent = send_packet(channel_fd, bytes, descriptors);
}

Result<Fd> receive_answer(int channel_fd) {
  std::vector<Fd> descriptors;
  auto packet = receive_packet(channel_fd, sizeof(Answer), descriptors);
  while (!packet && packet.error().code == EINTR)
    packet = receive_packet(channel_fd, sizeof(Answer), descriptors);
  HF_TRY_ASSIGN(const auto bytes, std::move(packet));
  if (!bytes || bytes->size() != sizeof(Answer))
    return Error{ECANCELED, "hear from the child", "", "it died"};
  Answer answer;
  std::memcpy(&answer, bytes->data(), sizeof(answer));
  if (answer.code != 0)
    return Error{answer.code, answer.operation.data(), answer.object.data(), answer.detail.data()};
  return descriptors.empty() ? Fd() : std::move(descriptors.front());
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
  HF_TRY_ASSIGN(auto ends, make_channel());
  const Fd ours = std::move(ends[0]);
  Fd theirs = std::move(ends[1]);
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
