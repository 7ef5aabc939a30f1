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

// The last component of the path that names a unit.
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

// Of whatever `names` and `get` are about.
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

// What a visitor is told about where a socket was found.
struct Place {
  const kernel::TaskDirectory& task;
  pid_t pid;
  int number;
  std::uint64_t cookie;
};
using VisitPlace = std::function<void(int socket_fd, const Place& place)>;

void look_at(int socket_fd, const Place& place, const LabelSource& labels_of, Survey& survey) {
  const auto end = kernel::describe_socket(socket_fd);
  if (!end) return;
  LabelledSocket found{};
  found.labels = labels_of(socket_fd);
  if (end->path)  // as its process names it
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

// No: this process may not be looked into.
bool look_into(const kernel::Proc& proc, pid_t pid, std::set<std::uint64_t>& seen,
               const VisitPlace& visit) {
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
      visit(socket->get(), Place{*task, pid, file.number, *cookie});
  }
  return true;
}

Result<std::size_t> visit_places(const VisitPlace& visit) {
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  std::set<std::uint64_t> seen;
  std::size_t closed = 0;
  std::vector<pid_t> processes = proc.processes();
  std::sort(processes.begin(), processes.end());
  for (const pid_t pid : processes)
    if (!look_into(proc, pid, seen, visit)) closed++;
  return closed;
}

}  // namespace

LabelMap own_labels(int socket_fd) {
  return read_labels(kernel::list_attributes(socket_fd), [&](const std::string& name) {
    return kernel::get_attribute(socket_fd, name);
  });
}

Result<std::size_t> visit_sockets(const std::function<void(int)>& visit) {
  return visit_places([&](int socket_fd, const Place&) { visit(socket_fd); });
}

Result<Survey> survey_sockets(const LabelSource& labels_of) {
  Survey survey;
  const auto visit = [&](int socket_fd, const Place& place) {
    look_at(socket_fd, place, labels_of, survey);
  };
  HF_TRY_ASSIGN(survey.closed_processes, visit_places(visit));
  return survey;
}

}  // namespace holdfast::label
