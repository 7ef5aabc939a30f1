// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace holdfast::kernel {
namespace {

// The alternate screen without a cursor, and back with attributes off.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";
constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
constexpr int kWriteWaitMs = 1000;

// A signal handler reads these.
struct termios saved;
volatile sig_atomic_t is_open = 0;
int in = -1;
int out = -1;

// The terminal may be in non-blocking mode, which its other users share.
Result<void> write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(out, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    struct pollfd ready {
      out, POLLOUT, 0
    };
    if (errno == EAGAIN && poll(&ready, 1, kWriteWaitMs) > 0) continue;
    return Error{errno, "write to the terminal", "", ""};
  }
  return {};
}

// Calls only async-signal-safe functions.
void restore() {
  if (is_open == 0) return;
  is_open = 0;
  (void)!write(out, kLeave.data(), kLeave.size());
  tcsetattr(in, TCSADRAIN, &saved);
}

void on_fatal(int signal) {
  restore();
  ::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

Result<void> FullScreen::open(int in_fd, int out_fd) {
  const auto failed = [](int code) { return Error{code, "use the terminal", "", ""}; };
  in = in_fd;
  out = out_fd;
  if (isatty(out) != 1) return failed(ENOTTY);
  if (tcgetattr(in, &saved) != 0) return failed(errno);
  struct termios mode = saved;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  for (const int number : kFatal) {
    struct sigaction action {};
    action.sa_handler = on_fatal;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    sigaction(number, &action, nullptr);
  }
  is_open = 1;
  if (tcsetattr(in, TCSADRAIN, &mode) != 0) {
    const int code = errno;
    is_open = 0;
    return failed(code);
  }
  auto entered = write_all(kEnter);
  if (!entered) close();
  return entered;
}

void FullScreen::close() {
  restore();
  for (const int number : kFatal) ::signal(number, SIG_DFL);
}

TerminalSize FullScreen::size() {
  struct winsize size {};
  if (ioctl(out, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

Result<void> FullScreen::show(std::string_view text) {
  return write_all("\x1b[H" + std::string(text) + "\x1b[J");
}

}  // namespace holdfast::kernel
