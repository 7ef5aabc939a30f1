// SPDX-License-Identifier: Apache-2.0
// Keeps the labels of sockets. They are user.* attributes of the socket if the kernel has those,
// otherwise entries in a store of this process.
#ifndef HOLDFAST_BACKEND_CALLS_SOCKET_LABELS_H
#define HOLDFAST_BACKEND_CALLS_SOCKET_LABELS_H

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/files/open_file_watch.h"
#include "kernel/proc/proc.h"
#include "label/store.h"

namespace holdfast::backend::calls {

// native: this kernel's sockets keep user.* attributes. emulated: the store of this process does.
enum class SocketAttributes { native, emulated };
[[nodiscard]] SocketAttributes socket_attributes();

// The labels of sockets, as the calls of the xattr family see them. `cookie` is always that of the
// socket that `socket_fd` names.
class LabelAccess {
 public:
  virtual ~LabelAccess() = default;
  [[nodiscard]] virtual SocketAttributes kernel() const = 0;
  // Empty: the socket has no such label. Errors: those of getxattr(2) on the socket.
  [[nodiscard]] virtual Result<std::optional<std::string>> get(int socket_fd, label::Cookie cookie,
                                                               const std::string& name) = 0;
  // The names of all attributes, in the kernel's order. Errors: those of listxattr(2).
  [[nodiscard]] virtual Result<std::vector<std::string>> list(int socket_fd,
                                                              label::Cookie cookie) = 0;
  // `flags` as in setxattr(2). Errors: those of setxattr(2) and removexattr(2).
  virtual Result<void> set(int socket_fd, label::Cookie cookie, const std::string& name,
                           std::string_view value, int flags) = 0;
  virtual Result<void> remove(int socket_fd, label::Cookie cookie, const std::string& name) = 0;
};

// `names` are those that the kernel lists, without labels. Adds the labels in the order of
// sockfs_listxattr() of Linux 7.3: labels of security modules, labels of users, the protocol's name.
void insert_labels(std::vector<std::string>& names, const std::vector<std::string>& labels);

// Thread-safe, but collect() is for one thread.
class SocketLabels final : public LabelAccess {
 public:
  // `proc` is borrowed.
  static Result<SocketLabels> create(const kernel::Proc& proc, SocketAttributes kernel);

  // Called before a value is set, where labels are emulated. Replaces an earlier function.
  void observe(std::function<void(std::string_view name, std::string_view value)> observer) {
    observer_ = std::move(observer);
  }
  [[nodiscard]] SocketAttributes kernel() const override { return kernel_; }
  [[nodiscard]] Result<std::optional<std::string>> get(int socket_fd, label::Cookie cookie,
                                                       const std::string& name) override;
  [[nodiscard]] Result<std::vector<std::string>> list(int socket_fd, label::Cookie cookie) override;
  Result<void> set(int socket_fd, label::Cookie cookie, const std::string& name,
                   std::string_view value, int flags) override;
  Result<void> remove(int socket_fd, label::Cookie cookie, const std::string& name) override;
  // Sets all labels of `from` on `to`.
  Result<void> copy(int from_fd, label::Cookie from, int to_fd, label::Cookie to);

  // Readable when collect() has to be called.
  [[nodiscard]] int timer_fd() const { return timer_.get(); }
  // Drops the labels of sockets that no longer exist. Reads the open files of this process.
  void collect();

 private:
  SocketLabels(const kernel::Proc& proc, SocketAttributes kernel, Fd timer,
               kernel::OpenFileWatch live);
  Result<void> watch(int socket_fd, label::Cookie cookie);

  const kernel::Proc& proc_;
  std::function<void(std::string_view, std::string_view)> observer_;
  SocketAttributes kernel_;
  Fd timer_;
  kernel::OpenFileWatch watch_;
  std::unique_ptr<label::Store> store_;
  // Guards watch_ and timer_armed_.
  std::unique_ptr<std::mutex> watching_ = std::make_unique<std::mutex>();
  bool timer_armed_ = false;
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_LABELS_H
