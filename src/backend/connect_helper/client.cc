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
// The time for a reply. A path lookup that takes longer crosses a file system that does not
// respond.
constexpr std::uint64_t kPatienceNs = 10'000'000'000;

Error gone() { return Error{ECONNABORTED, "ask the connect helper", {}, "it does not answer"}; }

Result<void> expect(int channel_fd, char byte) {
  std::vector<Fd> none;
  HF_TRY_ASSIGN(const auto ready, kernel::wait_readable(channel_fd, kStartMs));
  if (!ready) return gone();
  HF_TRY_ASSIGN(const auto received, kernel::receive_packet(channel_fd, 1, none));
  if (!received || received->front() != byte) return gone();
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
  HF_TRY_ASSIGN(auto credentials, task.credentials());
  HF_TRY_ASSIGN(const auto namespaces, task.namespaces());
  HF_TRY_ASSIGN(const auto root_fd, task.root());
  HF_TRY_ASSIGN(const auto root, kernel::place_of(root_fd.get()));
  const auto& link = namespaces.link;
  return Identity{
      std::move(credentials),
      {link[kernel::kUserNamespace], link[kernel::kMntNamespace], link[kernel::kPidNamespace]},
      root};
}

// Opens the helper's /proc directory while the helper is dumpable, and before any task of the tree
// runs.
Result<ConnectHelper> ConnectHelper::start(const Child& child, const kernel::Proc& proc) {
  HF_TRY_ASSIGN(auto ends, kernel::make_channel());
  HF_TRY(kernel::set_send_timeout(ends[0].get(), kSendSeconds));
  std::array<int, kernel::kNamespaceTypeCount> namespaces;
  std::ranges::copy(child.namespace_fd, namespaces.begin());
  HF_TRY_ASSIGN(const auto pid,
                kernel::start_own_program_in(namespaces, kConnectHelperArgument, ends[1].get()));
  ends[1].reset();
  const int channel_fd = ends[0].get();
  HF_TRY(expect(channel_fd, kHelperRuns));
  HF_TRY_ASSIGN(auto process, kernel::open_pidfd(pid));
  HF_TRY_ASSIGN(auto task, proc.task(pid));
  HF_TRY_ASSIGN(auto identity, identity_of(task));
  HF_TRY(kernel::send_byte(channel_fd, kBecomeUndumpable));
  HF_TRY(expect(channel_fd, kHelperIsUndumpable));
  return ConnectHelper(std::move(ends[0]), std::move(process), std::move(task),
                       std::move(identity));
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
  HF_TRY_ASSIGN(auto ends, kernel::make_channel());
  std::vector<int> sent = {ends[1].get()};
  sent.insert(sent.end(), descriptors.begin(), descriptors.end());
  const auto asked = kernel::send_packet(channel_.get(), bytes_of(request), sent);
  if (!asked) return asked.error().code == EINTR ? asked.error() : gone();
  ends[1].reset();
  const int reply_fd = ends[0].get();
  std::uint64_t since_ns = kernel::boottime_ns();
  std::uint64_t checked_ns = since_ns;
  bool given_up = false;
  for (;;) {
    const auto ready = kernel::wait_readable(reply_fd, kLookMs);
    if (!ready && ready.error().code != EINTR) return ready.error();
    if (!ready && deadline == Deadline::soon) return ready.error();
    if (ready && *ready) break;
    const std::uint64_t now_ns = kernel::boottime_ns();
    // Cancel, but wait for the reply: the connect may have succeeded already.
    if (!ready && !given_up) {
      kernel::shutdown_write(reply_fd);
      given_up = true;
      since_ns = now_ns;
    }
    if ((deadline == Deadline::soon || given_up) && now_ns - since_ns > kPatienceNs) return gone();
    if (now_ns - checked_ns < std::uint64_t{kLookMs} * 1'000'000) continue;
    checked_ns = now_ns;
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
  HF_TRY_ASSIGN(auto reply, ask(request, descriptors, Deadline::soon));
  const auto answer = value_of<HelperReply>(reply.bytes);
  if (!answer) return gone();
  Found found{answer->error, answer->probe, {}};
  if (!reply.descriptors.empty()) found.file = std::move(reply.descriptors.front());
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
  HF_TRY_ASSIGN(const auto reply, ask(request, {socket_fd, file_fd}, Deadline::none));
  const auto answer = value_of<HelperReply>(reply.bytes);
  if (!answer) return gone();
  return answer->error;
}

Result<HelperReply> ConnectHelper::call(const HelperRequest& request,
                                        const std::vector<int>& descriptors) const {
  HF_TRY_ASSIGN(const auto reply, ask(request, descriptors, Deadline::none));
  const auto answer = value_of<HelperReply>(reply.bytes);
  if (!answer) return gone();
  return *answer;
}

}  // namespace holdfast::backend::connect_helper
