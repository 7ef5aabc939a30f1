// SPDX-License-Identifier: Apache-2.0
#include "label/survey.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "kernel/proc/open_files.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"

namespace holdfast::label {
namespace {

// The last path component that is the name of a systemd unit; empty: none.
std::string unit_of(const std::string& cgroup) {
  std::string unit;
  for (std::size_t begin = 0; begin < cgroup.size();) {
    const std::size_t end = std::min(cgroup.find('/', begin), cgroup.size());
    const std::string name = cgroup.substr(begin, end - begin);
    for (const char* suffix : {".service", ".scope", ".socket"})
      if (name.ends_with(suffix)) unit = name;
    begin = end + 1;
  }
  return unit;
}

// The labels among `names`, with the values that `get` returns.
template <typename Get>
LabelMap read_labels(const Result<std::vector<std::string>>& names, Get&& get) {
  LabelMap labels;
  if (!names) return labels;
  for (const std::string& name : *names)
    if (is_label_name(name))
      if (auto value = get(name)) labels[name] = std::move(*value);
  return labels;
}

LabelMap labels_of_path(const std::string& path) {
  return read_labels(kernel::list_path_attributes(path), [&](const std::string& name) {
    return kernel::get_path_attribute(path, name);
  });
}

// Where a socket was found.
struct Descriptor {
  const kernel::TaskDirectory& task;
  pid_t pid;
  int number;
  std::uint64_t cookie;
};
using VisitDescriptor = std::function<void(int socket_fd, const Descriptor& place)>;

void add_if_labelled(int socket_fd, const Descriptor& place, const LabelSource& labels_of,
                     Survey& survey) {
  const auto end = kernel::describe_socket(socket_fd);
  if (!end) return;
  LabelledSocket found{};
  found.labels = labels_of(socket_fd);
  if (end->path)  // relative to the root directory of its process
    found.path_labels =
        labels_of_path("/proc/" + std::to_string(place.pid) + "/root" + end->address);
  if (found.labels.empty() && found.path_labels.empty()) return;
  found.cookie = place.cookie;
  found.pid = place.pid;
  found.fd = place.number;
  found.command = place.task.command_name() ? *place.task.command_name() : "";
  found.cgroup = place.task.cgroup() ? *place.task.cgroup() : "";
  found.unit = unit_of(found.cgroup);
  found.family = end->family;
  found.state = end->state;
  found.address = end->address;
  survey.sockets.push_back(std::move(found));
}

// False: this process may not be inspected.
bool visit_process(const kernel::Proc& proc, pid_t pid, std::set<std::uint64_t>& seen,
                   const VisitDescriptor& visit) {
  const auto task = proc.task(pid);
  if (!task) return true;  // it has ended
  const auto files = kernel::open_files(pid);
  const auto pidfd = kernel::open_pidfd(pid);
  if (!files || !pidfd)
    return !(!files && files.error().code == EACCES) && !(!pidfd && pidfd.error().code == EPERM);
  for (const kernel::OpenFile& file : *files) {
    if (!file.target.starts_with("socket:")) continue;
    const auto socket = kernel::duplicate_from(pidfd->get(), file.number);
    if (!socket && socket.error().code == EPERM) return false;
    const auto cookie =
        socket ? kernel::socket_cookie(socket->get()) : Result<std::uint64_t>(socket.error());
    if (cookie && seen.insert(*cookie).second)
      visit(socket->get(), Descriptor{*task, pid, file.number, *cookie});
  }
  return true;
}

Result<std::size_t> visit_descriptors(const VisitDescriptor& visit) {
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  std::set<std::uint64_t> seen;
  std::size_t closed = 0;
  std::vector<pid_t> processes = proc.processes();
  std::sort(processes.begin(), processes.end());
  for (const pid_t pid : processes)
    if (!visit_process(proc, pid, seen, visit)) closed++;
  return closed;
}

}  // namespace

LabelMap own_labels(int socket_fd) {
  return read_labels(kernel::list_attributes(socket_fd), [&](const std::string& name) {
    return kernel::get_attribute(socket_fd, name);
  });
}

Result<std::size_t> visit_sockets(const std::function<void(int)>& visit) {
  return visit_descriptors([&](int socket_fd, const Descriptor&) { visit(socket_fd); });
}

Result<Survey> survey_sockets(const LabelSource& labels_of) {
  Survey survey;
  const auto visit = [&](int socket_fd, const Descriptor& place) {
    add_if_labelled(socket_fd, place, labels_of, survey);
  };
  HF_TRY_ASSIGN(survey.unreadable_processes, visit_descriptors(visit));
  return survey;
}

}  // namespace holdfast::label
