// SPDX-License-Identifier: Apache-2.0
// The labels of sockets: in the kernel where its sockets keep user.* attributes, else in a store of
// this process.
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

// Do this kernel's sockets keep attributes of their own?
enum class SocketAttributes { native, emulated };
[[nodiscard]] SocketAttributes socket_attributes();

// Somebody who has to know at once what labels are kept here: the programs of the lsm backend.
class LabelMirror {
 public:
  using Value = std::function<std::optional<std::string>(const std::string& name)>;

  virtual ~LabelMirror() = default;
  // What the labels of this socket are from now on.
  virtual Result<void> write(int socket_fd, const Value& value) = 0;
  // The listener whose labels it was given when it was accepted; 0: none, or they were taken over.
  [[nodiscard]] virtual label::Cookie inherited_from(int socket_fd) const = 0;
  virtual Result<void> take_over(int socket_fd) = 0;
};

// The labels of sockets, wherever this kernel has them. Any thread; collect() is for one.
class SocketLabels {
 public:
  // `proc` is borrowed.
  static Result<SocketLabels> create(const kernel::Proc& proc, SocketAttributes kernel);

  // Tells it of every change from here on. Borrowed.
  void mirror_to(LabelMirror& mirror) { mirror_ = &mirror; }
  [[nodiscard]] SocketAttributes kernel() const { return kernel_; }
  // Nothing: no such label. Errors: what the kernel says.
  [[nodiscard]] Result<std::optional<std::string>> get(int socket_fd, label::Cookie cookie,
                                                       const std::string& name);
  [[nodiscard]] Result<std::vector<std::string>> list(int socket_fd, label::Cookie cookie);
  Result<void> set(int socket_fd, label::Cookie cookie, const std::string& name,
                   std::string_view value, int flags);
  Result<void> remove(int socket_fd, label::Cookie cookie, const std::string& name);
  // All labels of `from` are `to`'s as well.
  Result<void> copy(int from_fd, label::Cookie from, int to_fd, label::Cookie to);

  // Readable when it is time to collect().
  [[nodiscard]] int timer_fd() const { return timer_.get(); }
  // Forgets sockets that do not exist any more.
  void collect();

 private:
  SocketLabels(const kernel::Proc& proc, SocketAttributes kernel, Fd timer,
               kernel::OpenFileWatch live);
  Result<void> watch(int socket_fd, label::Cookie cookie);
  Result<void> take_over(int socket_fd, label::Cookie cookie);
  Result<void> tell(int socket_fd, label::Cookie cookie);

  const kernel::Proc& proc_;
  LabelMirror* mirror_ = nullptr;
  SocketAttributes kernel_;
  Fd timer_;
  kernel::OpenFileWatch watch_;
  std::unique_ptr<label::Store> store_;
  // Jobs label what they accept, while the session collects.
  std::unique_ptr<std::mutex> watching_ = std::make_unique<std::mutex>();
  bool timer_armed_ = false;
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_LABELS_H
