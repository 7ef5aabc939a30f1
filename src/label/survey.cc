// SPDX-License-Identifier: Apache-2.0
#include "label/survey.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "kernel/open_files.h"
#include "kernel/proc.h"
#include "kernel/process.h"
#include "kernel/sockets.h"
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

std::map<std::string, std::string> labels_of(int socket_fd) {
  std::map<std::string, std::string> labels;
  const auto names = kernel::list_attributes(socket_fd);
  if (!names) return labels;
  for (const std::string& name : *names)
    if (is_label_name(name))
      if (auto value = kernel::get_attribute(socket_fd, name)) labels[name] = std::move(*value);
  return labels;
}

std::map<std::string, std::string> labels_of_path(const std::string& path) {
  std::map<std::string, std::string> labels;
  const auto names = kernel::list_path_attributes(path);
  if (!names) return labels;
  for (const std::string& name : *names)
    if (is_label_name(name))
      if (auto value = kernel::get_path_attribute(path, name)) labels[name] = std::move(*value);
  return labels;
}

void look_at(const kernel::TaskDirectory& task, pid_t pid, int number, const Fd& socket,
             std::set<std::uint64_t>& seen, Survey& survey) {
  const auto cookie = kernel::socket_cookie(socket.get());
  if (!cookie || !seen.insert(*cookie).second) return;
  const auto end = kernel::describe_socket(socket.get());
  if (!end) return;
  LabelledSocket found{};
  found.labels = labels_of(socket.get());
  if (end->path)  // as its process names it
    found.path_labels = labels_of_path("/proc/" + std::to_string(pid) + "/root" + end->address);
  if (found.labels.empty() && found.path_labels.empty()) return;
  found.cookie = *cookie;
  found.pid = pid;
  found.fd = number;
  found.command = task.command_name() ? *task.command_name() : "";
  found.cgroup = task.cgroup() ? *task.cgroup() : "";
  found.unit = unit_of(found.cgroup);
  found.family = end->family;
  found.state = end->state;
  found.address = end->address;
  survey.sockets.push_back(std::move(found));
}

void look_into(const kernel::Proc& proc, pid_t pid, std::set<std::uint64_t>& seen, Survey& survey) {
  const auto task = proc.task(pid);
  if (!task) return;  // it has ended
  const auto files = kernel::open_files(pid);
  const auto pidfd = kernel::open_pidfd(pid);
  if (!files || !pidfd) {
    if ((!files && files.error().code == EACCES) || (!pidfd && pidfd.error().code == EPERM))
      survey.closed_processes++;
    return;
  }
  for (const kernel::OpenFile& file : *files) {
    if (!file.target.starts_with("socket:")) continue;
    int number = -1;
    const std::string_view digits = std::string_view(file.path).substr(file.path.rfind('/') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const auto socket = kernel::duplicate_from(pidfd->get(), number);
    if (socket) {
      look_at(*task, pid, number, *socket, seen, survey);
    } else if (socket.error().code == EPERM) {
      survey.closed_processes++;
      return;
    }
  }
}

}  // namespace

Result<Survey> survey_sockets() {
  const auto proc = kernel::Proc::open();
  if (!proc) return proc.error();
  Survey survey;
  std::set<std::uint64_t> seen;
  std::vector<pid_t> processes = proc->processes();
  std::sort(processes.begin(), processes.end());
  for (const pid_t pid : processes) look_into(*proc, pid, seen, survey);
  return survey;
}

}  // namespace holdfast::label
