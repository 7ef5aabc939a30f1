// SPDX-License-Identifier: Apache-2.0
// A full-screen program on a terminal: termios(3), and the control sequences of ECMA-48 and xterm.
#ifndef HOLDFAST_KERNEL_PROCESS_TERMINAL_H
#define HOLDFAST_KERNEL_PROCESS_TERMINAL_H

#include <string_view>

#include "base/result.h"

namespace holdfast::kernel {

struct TerminalSize {
  unsigned rows = 24;
  unsigned columns = 80;
};

// While it is open, the terminal shows the alternate screen, without a cursor, and keys are read one
// by one without being shown. The keys that send signals still do. Closing it, also by a signal that
// a mistake of the program causes (SIGSEGV, SIGABRT and the like), brings back what was before. A
// program has one such object at a time.
class FullScreen {
 public:
  // Both descriptors are borrowed. Errors: ENOTTY, one is not a terminal; of tcgetattr(3),
  // tcsetattr(3).
  [[nodiscard]] static Result<void> open(int in_fd, int out_fd);
  // Does nothing if it is not open. Ignores errors, since the terminal may be gone.
  static void close();

  // 24 x 80 if the terminal does not know it.
  [[nodiscard]] static TerminalSize size();
  // Replaces what the screen shows. Errors: of write(2).
  [[nodiscard]] static Result<void> show(std::string_view text);
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_TERMINAL_H
