// SPDX-License-Identifier: Apache-2.0
// Everything a forked child does before it becomes the command. child.cc is the one file of
// holdfast that runs between fork and exec.
#ifndef HOLDFAST_KERNEL_PROCESS_CHILD_H
#define HOLDFAST_KERNEL_PROCESS_CHILD_H

#include <linux/filter.h>
#include <signal.h>

#include <cstdint>

namespace holdfast::kernel {

// What the child was doing when it failed.
enum class ChildStep : std::int32_t {
  none,
  prepare,
  loopback,
  mount_propagation,
  mount_proc,
  no_new_privs,
  landlock,
  seccomp,
  hand_over_listener,
  self_test,
  fork_command,
  exec,
};

// From child to parent over the channel (SOCK_SEQPACKET).
struct ChildReport {
  enum class Kind : std::int32_t { ready, self_test_held, failed };
  Kind kind;
  ChildStep step;
  std::int32_t error;  // errno of a failure
  std::int32_t
      listener_number;  // with `ready`: the descriptor that the listener is about to be; -1: none
};

// From parent to child, one byte each.
inline constexpr char kChildMapsWritten = 'm';
inline constexpr char kChildRelease = 'r';

// The self-test: a setns() with this second argument, made once under the new filter. The supervisor
// has to answer it with kSelfTestError, or the child never becomes the command.
inline constexpr int kSelfTestArgument = 0x0badc0de;
inline constexpr int kSelfTestError = 54;  // EXFULL: no system call of namespaces returns it

// Plain data, made before the fork; everything borrowed.
struct ChildSpec {
  int channel_fd;
  int parent_channel_fd;  // closed first: the channel has to end when the parent does
  bool wait_for_maps;     // in a new user namespace: until the parent has written its maps
  bool loopback;          // in a new network namespace: set lo up
  bool private_mounts;    // in a new mount namespace: keep its mounts to itself
  bool mount_proc;        // and in a new pid namespace too: its own /proc
  bool init;              // first of a pid namespace: stay as its init and fork the command
  bool no_new_privs;
  int landlock_fd;           // -1: none
  const sock_fprog* filter;  // null: none
  const char* const* paths;  // where the command may be, in order; null-terminated
  char* const* arguments;    // null-terminated
  char**
      shell_arguments;  // {"/bin/sh", path, arguments…}: for a script without "#!"; [1] is set here
  char* const* environment;
  const sigset_t* signal_mask;  // of the command
};

// Runs in the child of a fork of a program with one thread. Makes itself ready, waits for the
// release, execs. Exits 125 when it could not get ready, 126 when the command cannot be executed,
// 127 when it does not exist. Dies with its parent, whatever state both are in.
[[noreturn]] void run_child(const ChildSpec& spec);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_CHILD_H
