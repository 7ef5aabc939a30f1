// SPDX-License-Identifier: Apache-2.0
// The steps of a forked child between fork and exec of the command.
#ifndef HOLDFAST_KERNEL_PROCESS_CHILD_H
#define HOLDFAST_KERNEL_PROCESS_CHILD_H

#include <linux/filter.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdint>

namespace holdfast::kernel {

// The step at which the child failed.
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
  // command_ended: of the init of a pid namespace that waits for the rest (ChildSpec::init_waits).
  enum class Kind : std::int32_t { ready, self_test_held, failed, command_ended };
  Kind kind;
  ChildStep step;
  std::int32_t error;  // errno; 0 unless `failed`
  std::int32_t
      listener_number;  // with `ready`: the number that the listener will get; -1: no filter
};

// From parent to child, one byte each.
inline constexpr char kChildMapsWritten = 'm';
inline constexpr char kChildRelease = 'r';

// The self-test: one setns(2) call with this second argument, under the new filter. If the
// supervisor does not answer it with kSelfTestError, the child exits instead of executing the
// command.
inline constexpr int kSelfTestArgument = 0x0badc0de;
inline constexpr int kSelfTestError = 54;  // EXFULL: setns(2) itself never returns it

// The value of a signal that the init of a pid namespace forwards to the command.
inline constexpr int kForwardedValue = 0x0f03a3d5;

// Plain data, prepared before the fork. All pointers and descriptors are borrowed.
struct ChildSpec {
  int channel_fd;
  int parent_channel_fd;  // closed first, so that the channel ends with the parent
  bool wait_for_maps;     // in a new user namespace: wait until the parent has written its id maps
  bool loopback;          // in a new network namespace: set lo up
  bool private_mounts;    // in a new mount namespace: make all mounts MS_PRIVATE
  bool mount_proc;        // in a new mount and pid namespace: mount a new /proc
  bool init;              // first task of a pid namespace: become its init and fork the command
  bool init_waits;  // this init ends with the last task of its namespace, not with the command
  bool no_new_privs;
  int landlock_fd;           // -1: none
  const sock_fprog* filter;  // null: none
  std::uint64_t join;        // the key of a nested run (seccomp.h); 0: none
  const char* const* paths;  // candidates for the command, in order; null-terminated
  char* const* arguments;    // null-terminated
  // {"/bin/sh", path, arguments…}, null-terminated, for a script without "#!". run_child() sets
  // [1].
  char** shell_arguments;
  char* const* environment;
  const sigset_t* signal_mask;  // the command's
  bool ignore_child_signal;     // the command's action for SIGCHLD is SIG_IGN
  const rlimit* descriptors;    // the command's RLIMIT_NOFILE; null: as it is
};

// Runs in a forked child of a process with one thread. Prepares the child, waits for kChildRelease,
// and executes the command. Exits with 125 after a failed step, 126 when the command cannot be
// executed, 127 when it does not exist. The kernel kills the child when its parent dies
// (PR_SET_PDEATHSIG).
[[noreturn]] void run_child(const ChildSpec& spec);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_CHILD_H
