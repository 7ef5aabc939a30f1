// SPDX-License-Identifier: Apache-2.0
// Tells a signal that was sent to a process group from one that was sent to this process alone.
#ifndef HOLDFAST_KERNEL_PROCESS_GROUP_WITNESS_H
#define HOLDFAST_KERNEL_PROCESS_GROUP_WITNESS_H

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// A child in the caller's process group that blocks all signals and does nothing. A signal to the
// group is pending there, and the kernel makes it pending there before it is for the caller, since
// it begins with the member that joined last (do_each_pid_task()). The child ends with the caller.
// One thread.
class GroupWitness {
 public:
  // The caller must have one thread. Errors: of socketpair(2), fork(2).
  static Result<GroupWitness> start();
  // Did the child get this signal since the last question about it? Waits for at most 0.1 s. False
  // also when the child does not answer.
  [[nodiscard]] bool saw(int signal);

 private:
  explicit GroupWitness(Fd channel) : channel_(std::move(channel)) {}
  Fd channel_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_GROUP_WITNESS_H
