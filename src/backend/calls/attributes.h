// SPDX-License-Identifier: Apache-2.0
// The extended attributes of the tree's sockets: setxattr(2) and its family, answered here.
//
// On a kernel whose sockets keep no user.* attributes all of it is emulated, with the answers of
// Linux 7.3. On one whose sockets do, the kernel is left alone, unless the profile says which
// labels may be set: then what sets and removes is decided and done here, on a duplicate.
#ifndef HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
#define HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H

#include <linux/seccomp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "kernel/files/live_files.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"
#include "label/store.h"

namespace holdfast::backend::notify {

// Do this kernel's sockets keep attributes of their own?
enum class SocketAttributes { native, emulated };
[[nodiscard]] SocketAttributes socket_attributes();

// Linux 6.13; not in the headers of the oldest supported build machine.
inline constexpr int kSetxattratNumber = 463;
inline constexpr int kGetxattratNumber = 464;
inline constexpr int kListxattratNumber = 465;
inline constexpr int kRemovexattratNumber = 466;

// Calls of the xattr family: none, those that change something, or all.
enum class AttributeCalls { none, changes, all };

[[nodiscard]] AttributeCalls attribute_calls_to_see(const hf_profile& profile,
                                                    SocketAttributes kernel);

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
  SocketLabels(const kernel::Proc& proc, SocketAttributes kernel, Fd timer, kernel::LiveFiles live);
  Result<void> watch(int socket_fd, label::Cookie cookie);
  Result<void> take_over(int socket_fd, label::Cookie cookie);
  Result<void> tell(int socket_fd, label::Cookie cookie);

  const kernel::Proc& proc_;
  LabelMirror* mirror_ = nullptr;
  SocketAttributes kernel_;
  Fd timer_;
  kernel::LiveFiles live_;
  std::unique_ptr<label::Store> store_;
  // Jobs label what they accept, while the session collects.
  std::unique_ptr<std::mutex> watching_ = std::make_unique<std::mutex>();
  bool timer_armed_ = false;
};

void add_attribute_calls(kernel::SeccompFilter& filter, AttributeCalls seen);
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

}  // namespace holdfast::backend::notify

#endif  // HOLDFAST_BACKEND_CALLS_ATTRIBUTES_H
