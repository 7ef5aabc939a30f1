// SPDX-License-Identifier: Apache-2.0
// The extended attributes of the tree's sockets: setxattr(2) and its family, answered here.
//
// On a kernel whose sockets keep no user.* attributes all of it is emulated, with the answers of
// Linux 7.3. On one whose sockets do, the kernel is left alone, unless the profile says which
// labels may be set: then what sets and removes is decided and done here, on a duplicate.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_ATTRIBUTES_H
#define HOLDFAST_BACKEND_SUPERVISOR_ATTRIBUTES_H

#include <linux/seccomp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "backend/supervisor/answer.h"
#include "backend/supervisor/calls.h"
#include "backend/supervisor/filter.h"
#include "kernel/live_files.h"
#include "kernel/sockets.h"
#include "label/access.h"
#include "label/store.h"

namespace holdfast::backend::supervisor {

// Do this kernel's sockets keep attributes of their own?
enum class SocketAttributes { native, emulated };
[[nodiscard]] SocketAttributes socket_attributes();

[[nodiscard]] AttributeCalls attribute_calls_to_see(const hf_profile& profile,
                                                    SocketAttributes kernel);

// The labels of sockets, wherever this kernel has them. Any thread; collect() is for one.
class SocketLabels {
 public:
  // `proc` is borrowed.
  static Result<SocketLabels> create(const kernel::Proc& proc, SocketAttributes kernel);

  [[nodiscard]] SocketAttributes kernel() const { return kernel_; }
  // Nothing: no such label. Errors: what the kernel says.
  [[nodiscard]] Result<std::optional<std::string>> get(int socket_fd, label::Cookie cookie,
                                                       const std::string& name) const;
  // Of a socket that is not at hand. Nothing: none, or this kernel keeps it where it cannot be
  // read.
  [[nodiscard]] std::optional<std::string> get_remote(label::Cookie cookie,
                                                      const std::string& name) const;
  [[nodiscard]] Result<std::vector<std::string>> list(int socket_fd, label::Cookie cookie) const;
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
  SocketLabels(const kernel::Proc& proc, SocketAttributes kernel, Fd timer, kernel::LiveFiles live);
  Result<void> watch(int socket_fd, label::Cookie cookie);

  const kernel::Proc& proc_;
  SocketAttributes kernel_;
  Fd timer_;
  kernel::LiveFiles live_;
  std::unique_ptr<label::Store> store_;
  // Jobs label what they accept, while the session collects.
  std::unique_ptr<std::mutex> watching_ = std::make_unique<std::mutex>();
  bool timer_armed_ = false;
};

[[nodiscard]] bool is_attribute_call(int number);

// Who makes the call.
struct AttributeCaller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const std::function<bool()>&
      in_own_user_namespace;  // in the supervisor's: its capabilities count
  const std::function<bool()>&
      waiting;  // is it still there? Its memory is touched only after a yes
  const Judge& judge;
  const LabelWords& words;
};
[[nodiscard]] Answer answer_attribute_call(SocketLabels& labels, const AttributeCaller& caller);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_ATTRIBUTES_H
