// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc/descendants.h"

#include <poll.h>

#include <charconv>
#include <string_view>

#include "kernel/files/text_file.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"

namespace holdfast::kernel {
namespace {

std::vector<pid_t> numbers_in(std::string_view text) {
  std::vector<pid_t> numbers;
  while (!text.empty()) {
    pid_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty()) text.remove_prefix(1);
  }
  return numbers;
}

bool has_ended(int pidfd) {
  pollfd one = {.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace

// The thread that starts a run makes all its children.
Descendants::Descendants(pid_t counted) {
  const auto text = read_text_file("/proc/thread-self/children");
  if (!text) return;
  for (const pid_t child : numbers_in(*text))
    if (child == counted)
      continue;
    else if (auto pidfd = open_pidfd(child))
      earlier_.emplace(child, std::move(*pidfd));
}

bool Descendants::earlier(pid_t child) const {
  const auto found = earlier_.find(child);
  return found != earlier_.end() && !has_ended(found->second.get());
}

std::vector<pid_t> Descendants::all() const {
  std::vector<pid_t> found;
  const auto proc = Proc::open();
  const auto self = proc ? proc->task(own_pid()) : Result<TaskDirectory>(proc.error());
  if (!self) return found;
  std::vector<pid_t> open;
  for (const pid_t child : self->children())
    if (!earlier(child)) open.push_back(child);
  for (std::size_t next = 0; next < open.size(); next++) {
    const auto task = proc->task(open[next]);
    const auto status = task ? task->status() : Result<TaskStatus>(task.error());
    if (!status || (status->ended && status->threads <= 1)) continue;
    found.push_back(open[next]);
    for (const pid_t child : task->children()) open.push_back(child);
  }
  return found;
}

std::size_t Descendants::signal(int number) const {
  std::size_t count = 0;
  for (const pid_t pid : all()) {
    const auto pidfd = open_pidfd(pid);
    if (!pidfd) continue;
    (void)signal_process(pidfd->get(), number);
    count++;
  }
  return count;
}

}  // namespace holdfast::kernel
