// SPDX-License-Identifier: Apache-2.0
#include "backend/connect_helper/client.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "kernel/process/namespaced_program.h"
#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::connect_helper {
namespace {

constexpr int kLookMs = 1000;
constexpr int kStartMs = 10'000;
constexpr unsigned kSendSeconds = 5;
// A path that takes longer leads over a file system that does not answer.
constexpr std::uint64_t kPatienceNs = 10'000'000'000;

Error gone() { return Error{ECONNABORTED, "ask the door", {}, "it does not answer"}; }

Result<void> expect(int channel_fd, char byte) {
  std::vector<Fd> none;
  const auto ready = kernel::wait_readable(channel_fd, kStartMs);
  if (!ready) return ready.error();
  if (!*ready) return gone();
  const auto said = kernel::receive_packet(channel_fd, 1, none);
  if (!said) return said.error();
  if (!*said || (*said)->front() != byte) return gone();
  return {};
}

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

template <typename T>
std::optional<T> value_of(const std::string& bytes) {
  T value;
  if (bytes.size() != sizeof(value)) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

}  // namespace

Result<Identity> identity_of(const kernel::TaskDirectory& task) {
  auto credentials = task.credentials();
  if (!credentials) return credentials.error();
  const auto namespaces = task.namespaces();
  if (!namespaces) return namespaces.error();
  const auto root_fd = task.root();
  if (!root_fd) return root_fd.error();
  const auto root = kernel::place_of(root_fd->get());
  if (!root) return root.error();
  const auto& link = namespaces->link;
  return Identity{
      std::move(*credentials),
      {link[kernel::kUserNamespace], link[kernel::kMntNamespace], link[kernel::kPidNamespace]},
      *root};
}

// Looked at while it still may be, and before anything of the tree runs.
Result<ConnectHelper> ConnectHelper::start(const Child& child, const kernel::Proc& proc) {
  auto ends = kernel::make_channel();
  if (!ends) return ends.error();
  auto limited = kernel::set_send_timeout((*ends)[0].get(), kSendSeconds);
  if (!limited) return limited.error();
  std::array<int, kernel::kNamespaceTypeCount> namespaces;
  std::ranges::copy(child.namespace_fd, namespaces.begin());
  const auto pid =
      kernel::start_own_program_in(namespaces, kConnectHelperArgument, (*ends)[1].get());
  if (!pid) return pid.error();
  (*ends)[1].reset();
  const int channel_fd = (*ends)[0].get();
  auto runs = expect(channel_fd, kHelperRuns);
  if (!runs) return runs.error();
  auto process = kernel::open_pidfd(*pid);
  if (!process) return process.error();
  auto task = proc.task(*pid);
  if (!task) return task.error();
  auto identity = identity_of(*task);
  if (!identity) return identity.error();
  auto told = kernel::send_byte(channel_fd, kBecomeUndumpable);
  if (!told) return told.error();
  auto opaque = expect(channel_fd, kHelperIsUndumpable);
  if (!opaque) return opaque.error();
  return ConnectHelper(std::move((*ends)[0]), std::move(*process), std::move(*task),
                       std::move(*identity));
}

ConnectHelper::~ConnectHelper() {
  if (!process_) return;
  (void)kernel::signal_process(process_.get(), SIGKILL);
  (void)kernel::poll_readable({process_.get()}, kLookMs);
  (void)kernel::reap(process_.get());
}

bool ConnectHelper::same_identity_as(const kernel::TaskDirectory& task) const {
  const auto theirs = identity_of(task);
  return theirs && *theirs == identity_;
}

struct ConnectHelper::Reply {
  std::string bytes;
  std::vector<Fd> descriptors = {};
};

bool ConnectHelper::answers() const {
  const auto status = task_.status();
  return status && !status->stopped;
}

Result<ConnectHelper::Reply> ConnectHelper::ask(const HelperRequest& request,
                                                const std::vector<int>& descriptors,
                                                Deadline deadline) const {
  auto ends = kernel::make_channel();
  if (!ends) return ends.error();
  std::vector<int> sent = {(*ends)[1].get()};
  sent.insert(sent.end(), descriptors.begin(), descriptors.end());
  const auto asked = kernel::send_packet(channel_.get(), bytes_of(request), sent);
  if (!asked) return asked.error().code == EINTR ? asked.error() : gone();
  (*ends)[1].reset();
  const int reply_fd = (*ends)[0].get();
  std::uint64_t since_ns = kernel::boottime_ns();
  std::uint64_t looked_ns = since_ns;
  bool given_up = false;
  for (;;) {
    const auto ready = kernel::wait_readable(reply_fd, kLookMs);
    if (!ready && ready.error().code != EINTR) return ready.error();
    if (!ready && deadline == Deadline::soon) return ready.error();
    if (ready && *ready) break;
    const std::uint64_t now_ns = kernel::boottime_ns();
    // What it is doing may be done by now, so it has to say.
    if (!ready && !given_up) {
      kernel::shutdown_write(reply_fd);
      given_up = true;
      since_ns = now_ns;
    }
    if ((deadline == Deadline::soon || given_up) && now_ns - since_ns > kPatienceNs) return gone();
    if (now_ns - looked_ns < std::uint64_t{kLookMs} * 1'000'000) continue;
    looked_ns = now_ns;
    if (!answers()) return gone();
  }
  Reply reply;
  auto got = kernel::receive_packet(reply_fd, sizeof(HelperReply), reply.descriptors);
  if (!got || !*got) return gone();
  reply.bytes = std::move(**got);
  return reply;
}

Result<ConnectHelper::Found> ConnectHelper::found(const HelperRequest& request,
                                                  const std::vector<int>& descriptors) const {
  auto reply = ask(request, descriptors, Deadline::soon);
  if (!reply) return reply.error();
  const auto answer = value_of<HelperReply>(reply->bytes);
  if (!answer) return gone();
  Found found{answer->error, answer->probe, {}};
  if (!reply->descriptors.empty()) found.file = std::move(reply->descriptors.front());
  return found;
}

Result<ConnectHelper::Found> ConnectHelper::find(const std::string& path, int directory_fd) const {
  HelperRequest request;
  if (path.size() >= request.path.size()) return Error{ENAMETOOLONG, "find", path, {}};
  std::ranges::copy(path, request.path.begin());
  request.kind = directory_fd < 0 ? HelperRequest::Kind::find_from_root
                                  : HelperRequest::Kind::find_from_directory;
  std::vector<int> descriptors;
  if (directory_fd >= 0) descriptors.push_back(directory_fd);
  auto answer = found(request, descriptors);
  if (answer && answer->error == 0 && !answer->file) return gone();
  return answer;
}

Result<ConnectHelper::Found> ConnectHelper::look(int file_fd) const {
  HelperRequest request;
  request.kind = HelperRequest::Kind::look;
  return found(request, {file_fd});
}

Result<int> ConnectHelper::connect(int socket_fd, int file_fd) const {
  HelperRequest request;
  request.kind = HelperRequest::Kind::connect;
  const auto reply = ask(request, {socket_fd, file_fd}, Deadline::none);
  if (!reply) return reply.error();
  const auto answer = value_of<HelperReply>(reply->bytes);
  if (!answer) return gone();
  return answer->error;
}

}  // namespace holdfast::backend::connect_helper
