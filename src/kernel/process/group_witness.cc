// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/group_witness.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr int kPatienceMs = 100;

struct Reply {
  unsigned char signal;
  bool seen;
};

// Answers each number with whether that signal was pending. Ends when the other end is closed.
[[noreturn]] void serve(int channel_fd) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "holdfast-group");
  const int kept = channel_fd == 0 ? 0 : dup2(channel_fd, 0);
  if (kept != 0) _exit(1);
  syscall(SYS_close_range, 1u, ~0u, 0u);  // no pipe stays open because of this process
  for (;;) {
    Reply reply = {0, false};
    if (read(0, &reply.signal, 1) != 1) _exit(0);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, reply.signal);
    const timespec now = {0, 0};
    while (sigtimedwait(&one, nullptr, &now) > 0) reply.seen = true;
    if (send(0, &reply, sizeof(reply), MSG_NOSIGNAL) < 0) _exit(0);
  }
}

}  // namespace

Result<GroupWitness> GroupWitness::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("socketpair");
  Fd own(ends[0]);
  const Fd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return system_error("fork");
  if (child == 0) serve(theirs.get());
  return GroupWitness(std::move(own));
}

bool GroupWitness::saw(int signal) {
  const auto number = static_cast<unsigned char>(signal);
  if (::send(channel_.get(), &number, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) return false;
  for (;;) {
    pollfd ready = {.fd = channel_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0) return false;
    Reply reply = {};
    if (::recv(channel_.get(), &reply, sizeof(reply), MSG_DONTWAIT) != sizeof(reply)) return false;
    if (reply.signal == number) return reply.seen;  // else: the answer to an earlier question
  }
}

}  // namespace holdfast::kernel
