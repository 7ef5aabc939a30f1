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

// A second place where the stored labels have to be up to date: the maps of the lsm backend's BPF
// programs.
class LabelMirror {
 public:
  using Value = std::function<std::optional<std::string>(const std::string& name)>;

  virtual ~LabelMirror() = default;
  // Replaces the mirrored labels of this socket. `value` returns the value of a name; empty: unset.
  virtual Result<void> write(int socket_fd, const Value& value) = 0;
  // The BPF programs copy a listener's labels to an accepted socket. Returns the listener's cookie.
  // 0: no labels were copied, or take_over() was called since.
  [[nodiscard]] virtual label::Cookie inherited_from(int socket_fd) const = 0;
  virtual Result<void> take_over(int socket_fd) = 0;
};

// `cookie` is always that of the socket that `socket_fd` names. Thread-safe, but collect() and
// mirror_to() are for one thread.
class SocketLabels {
 public:
  // `proc` is borrowed.
  static Result<SocketLabels> create(const kernel::Proc& proc, SocketAttributes kernel);

  // Every later change is also written to `mirror`, which is borrowed.
  void mirror_to(LabelMirror& mirror) { mirror_ = &mirror; }
  // Called before a value is set, where labels are emulated. Replaces an earlier function.
  void observe(std::function<void(std::string_view name, std::string_view value)> observer) {
    observer_ = std::move(observer);
  }
  [[nodiscard]] SocketAttributes kernel() const { return kernel_; }
  // Empty: the socket has no such label. Errors: those of getxattr(2) on the socket, and those of
  // the mirror.
  [[nodiscard]] Result<std::optional<std::string>> get(int socket_fd, label::Cookie cookie,
                                                       const std::string& name);
  [[nodiscard]] Result<std::vector<std::string>> list(int socket_fd, label::Cookie cookie);
  Result<void> set(int socket_fd, label::Cookie cookie, const std::string& name,
                   std::string_view value, int flags);
  Result<void> remove(int socket_fd, label::Cookie cookie, const std::string& name);
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
  Result<void> take_over(int socket_fd, label::Cookie cookie);
  Result<void> update_mirror(int socket_fd, label::Cookie cookie);

  const kernel::Proc& proc_;
  LabelMirror* mirror_ = nullptr;
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
