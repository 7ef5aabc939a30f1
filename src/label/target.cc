// SPDX-License-Identifier: Apache-2.0
#include "label/target.h"

#include <cerrno>
#include <optional>

#include "base/text.h"
#include "kernel/proc/open_files.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"

namespace holdfast::label {
namespace {

Result<Fd> duplicate_of(pid_t pid, int fd) {
  HF_TRY_ASSIGN(auto pidfd, kernel::open_pidfd(pid));
  return kernel::duplicate_from(pidfd.get(), fd);
}

Result<Fd> find_cookie(std::uint64_t cookie) {
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  for (const pid_t pid : proc.processes()) {
    const auto files = kernel::open_files(pid);
    if (!files) continue;
    for (const kernel::OpenFile& file : *files) {
      if (!file.target.starts_with("socket:")) continue;
      auto found = duplicate_of(pid, file.number);
      if (!found) continue;
      const auto is = kernel::socket_cookie(found->get());
      if (is && *is == cookie) return found;
    }
  }
  return Error{ENOENT, "find a socket", "with this cookie", "in a process that can be inspected"};
}

Result<Fd> open_socket(std::string_view text) {
  if (text.starts_with("fd:")) {
    const auto fd = number<int>(text.substr(3));
    if (!fd) return Error{EINVAL, "parse", std::string(text), "expected fd:N"};
    return kernel::duplicate(*fd);
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto pid = number<pid_t>(text.substr(0, colon));
    const auto fd = number<int>(text.substr(colon + 1));
    if (pid && fd) return duplicate_of(*pid, *fd);
  } else if (const auto cookie = number<std::uint64_t>(text)) {
    return find_cookie(*cookie);
  }
  return Error{EINVAL, "parse", std::string(text),
               "expected PID:FD, a socket's cookie, fd:N, or the path of a bound socket"};
}

}  // namespace

Result<Target> Target::open(std::string_view text) {
  Target target;
  if (text.find('/') != std::string_view::npos) {
    target.path_ = text;
    return target;
  }
  HF_TRY_ASSIGN(auto socket, open_socket(text));
  HF_TRY_ASSIGN(const auto file, kernel::describe_file(socket.get()));
  if (!file.socket) return Error{ENOTSOCK, "open", std::string(text), {}};
  target.socket_ = std::move(socket);
  return target;
}

Result<std::string> Target::get(const std::string& name) const {
  return socket_ ? kernel::get_attribute(socket_.get(), name)
                 : kernel::get_path_attribute(path_, name);
}

Result<std::vector<std::string>> Target::list() const {
  auto names =
      socket_ ? kernel::list_attributes(socket_.get()) : kernel::list_path_attributes(path_);
  if (names) std::erase_if(*names, [](const std::string& name) { return !is_label_name(name); });
  return names;
}

Result<void> Target::set(const std::string& name, std::string_view value) const {
  return socket_ ? kernel::set_attribute(socket_.get(), name, value, 0)
                 : kernel::set_path_attribute(path_, name, value, 0);
}

Result<void> Target::remove(const std::string& name) const {
  return socket_ ? kernel::remove_attribute(socket_.get(), name)
                 : kernel::remove_path_attribute(path_, name);
}

}  // namespace holdfast::label
