// SPDX-License-Identifier: Apache-2.0
// What decides whether this process can load programs into the kernel.
#ifndef HOLDFAST_KERNEL_PROCESS_PRIVILEGES_H
#define HOLDFAST_KERNEL_PROCESS_PRIVILEGES_H

#include <string>

namespace holdfast::kernel {

// A text, without a newline, that is the same as long as these are: the boot, the file of this
// program, this process's capabilities, seccomp filters, user namespace and security context. Empty:
// one of them cannot be read.
[[nodiscard]] std::string privileges_text();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_PRIVILEGES_H
