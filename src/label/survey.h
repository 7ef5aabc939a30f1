// SPDX-License-Identifier: Apache-2.0
// Finds the labelled sockets of this machine, in all processes that this process may inspect.
#ifndef HOLDFAST_LABEL_SURVEY_H
#define HOLDFAST_LABEL_SURVEY_H

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::label {

// Calls `visit` once for each socket of each process that the caller may inspect. `socket_fd` is a
// duplicate, borrowed until `visit` returns. Returns the number of processes that the caller may
// not inspect. Errors: of opening /proc. Source: /proc/PID/fd, pidfd_getfd(2).
Result<std::size_t> visit_sockets(const std::function<void(int socket_fd)>& visit);

struct LabelledSocket {
  std::uint64_t cookie;
  pid_t pid;  // the first process that has it
  int fd;     // its number in that process
  std::string command;
  std::string cgroup;
  std::string unit;                           // systemd unit from the cgroup path; empty: none
  std::string family;                         // "unix", "inet", ...
  std::string state;                          // "listening", "connected", "bound", "open"
  std::string address;                        // a path, "@abstract", "127.0.0.1:80"; empty: none
  std::map<std::string, std::string> labels;  // of the socket itself
  std::map<std::string, std::string> path_labels;  // of the file that it is bound to
};

struct Survey {
  std::vector<LabelledSocket> sockets;   // each socket once, ordered by pid, then as in /proc
  std::size_t unreadable_processes = 0;  // not inspected: EACCES or EPERM
};

using LabelMap = std::map<std::string, std::string>;
// Returns the labels of a socket; the descriptor is borrowed. Empty: it has none, or they cannot be
// read.
using LabelSource = std::function<LabelMap(int socket_fd)>;
// The labels that the kernel keeps in the socket itself.
[[nodiscard]] LabelMap own_labels(int socket_fd);

// Takes some microseconds for each descriptor of the machine, and one call of `labels_of` for each
// socket. Misses sockets that exist only in flight over another socket. Errors: of opening /proc.
[[nodiscard]] Result<Survey> survey_sockets(const LabelSource& labels_of);

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_SURVEY_H
