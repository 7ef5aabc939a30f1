// SPDX-License-Identifier: Apache-2.0
// The descendants of this process: proc(5), children.
#ifndef HOLDFAST_KERNEL_PROC_DESCENDANTS_H
#define HOLDFAST_KERNEL_PROC_DESCENDANTS_H

#include <sys/types.h>

#include <map>
#include <vector>

#include "base/fd.h"

namespace holdfast::kernel {

// The processes that descend from this one, but from none of the children that it had when the
// object was made, except one. To be complete, this process has to be a subreaper. One thread.
class Descendants {
 public:
  // `counted` is the child that counts all the same.
  explicit Descendants(pid_t counted);

  // Those that have not ended. Empty also when /proc cannot be read. Parents come before their children. Not atomic: a process that is
  // made meanwhile may be missing, and a number may already be reused.
  [[nodiscard]] std::vector<pid_t> all() const;
  // Sends the signal to each of them. Returns their number.
  std::size_t signal(int number) const;

 private:
  [[nodiscard]] bool earlier(pid_t child) const;

  std::map<pid_t, Fd> earlier_;  // pidfds of the children that do not count
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_DESCENDANTS_H
