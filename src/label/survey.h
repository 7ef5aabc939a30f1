// SPDX-License-Identifier: Apache-2.0
// The labelled sockets of the machine, as far as this process may look into others.
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

// Calls with every socket in a process that may be looked into, once each, as a duplicate that is
// borrowed. The number of processes that may not.
Result<std::size_t> visit_sockets(const std::function<void(int socket_fd)>& visit);

struct LabelledSocket {
  std::uint64_t cookie;
  pid_t pid;  // the first process that has it
  int fd;     // there
  std::string command;
  std::string cgroup;
  std::string unit;                           // of systemd, out of the cgroup; empty: none
  std::string family;                         // "unix", "inet", ...
  std::string state;                          // "listening", "connected", "bound", "open"
  std::string address;                        // a path, "@abstract", "127.0.0.1:80"; empty: none
  std::map<std::string, std::string> labels;  // its own
  std::map<std::string, std::string> path_labels;  // of the path that it is bound to
};

struct Survey {
  std::vector<LabelledSocket> sockets;  // by pid, then descriptor; each socket once
  std::size_t closed_processes = 0;     // that could not be looked into
};

using LabelMap = std::map<std::string, std::string>;
// The labels of a socket, borrowed; none where they cannot be read.
using LabelSource = std::function<LabelMap(int socket_fd)>;
// Those that the socket itself has.
[[nodiscard]] LabelMap own_labels(int socket_fd);

// Takes some microseconds for each descriptor of the machine, and what the source takes for each
// socket. Sockets that are only in flight are not seen.
[[nodiscard]] Result<Survey> survey_sockets(const LabelSource& labels_of);

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_SURVEY_H
