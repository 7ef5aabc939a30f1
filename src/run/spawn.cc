// SPDX-License-Identifier: Apache-2.0
#include "run/spawn.h"

#include <unistd.h>

#include <fmt/core.h>

#include <cerrno>
#include <cstdlib>

#include "kernel/process/child.h"
#include "kernel/process/id_maps.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::run {
namespace {

using kernel::ChildReport;
using kernel::ChildStep;

constexpr unsigned kListenerLookUs = 20;
constexpr char kShell[] = "/bin/sh";
constexpr char kDefaultPath[] = "/usr/local/bin:/usr/bin:/bin";

// The arguments of the child. They are made before the fork, because the child cannot allocate.
struct CommandLine {
  std::vector<std::string> path_storage;
  std::vector<const char*> paths;
  std::vector<char*> arguments;
  std::vector<char*> shell_arguments;

  explicit CommandLine(const std::vector<std::string>& command);
};

// The paths that execvp(3) would try.
std::vector<std::string> candidates(const std::string& name) {
  if (name.find('/') != std::string::npos || name.empty()) return {name};
  const char* path = std::getenv("PATH");
  const std::string directories = path ? path : kDefaultPath;
  std::vector<std::string> found;
  for (std::size_t begin = 0; begin <= directories.size();) {
    std::size_t end = directories.find(':', begin);
    if (end == std::string::npos) end = directories.size();
    const std::string directory = directories.substr(begin, end - begin);
    found.push_back(directory.empty() ? name : directory + "/" + name);
    begin = end + 1;
  }
  return found;
}

CommandLine::CommandLine(const std::vector<std::string>& command)
    : path_storage(candidates(command.front())) {
  for (const std::string& path : path_storage) paths.push_back(path.c_str());
  paths.push_back(nullptr);
  shell_arguments = {const_cast<char*>(kShell), nullptr};  // [1]: the path of a script
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
    if (arguments.size() > 1) shell_arguments.push_back(arguments.back());
  }
  arguments.push_back(nullptr);
  shell_arguments.push_back(nullptr);
}

Error describe_fork_error(Error error, std::uint32_t types) {
  error.operation = "make the sandbox's namespaces";
  if (error.code == EPERM && !(types & HF_NS_USER))
    error.detail = "without privileges this needs a user namespace too: --unshare user,…";
  if (error.code == ENOSPC) error.detail = "a limit in /proc/sys/user is reached";
  if (error.code == ENOSYS)
    error.detail = "inside a run no time namespace can be made: leave time out of --unshare";
  if (error.code == EUSERS) error.detail = "user namespaces are nested too deeply";
  return error;
}

Error describe_child_error(const ChildReport& report) {
  Error error{report.error, {}, {}, {}};
  switch (report.step) {
    case ChildStep::loopback:
      error.operation = "set up lo in the new network namespace";
      break;
    case ChildStep::mount_propagation:
      error.operation = "make the new mount namespace private";
      break;
    case ChildStep::mount_proc:
      error.operation = "mount /proc of the new pid namespace";
      if (error.code == EPERM)
        error.detail = "something is mounted over parts of /proc here; leave mnt out of --unshare";
      break;
    case ChildStep::landlock:
      error.operation = "restrict the command with Landlock";
      break;
    case ChildStep::seccomp:
      error.operation = "install the seccomp filter";
      if (error.code == EBUSY)
        error.detail =
            "this process tree has a seccomp supervisor already, and only one is possible";
      break;
    case ChildStep::self_test:
      error.operation = "prove the seccomp filter";
      error.detail = "a call that had to be refused was not";
      break;
    default:
      error.operation = "start the command";
      break;
  }
  return error;
}

kernel::ChildSpec child_spec(const SpawnSpec& spec, CommandLine& line,
                             const std::array<Fd, 2>& channel) {
  const std::uint32_t types = spec.unshare_types;
  return kernel::ChildSpec{
      .channel_fd = channel[1].get(),
      .parent_channel_fd = channel[0].get(),
      .wait_for_maps = (types & HF_NS_USER) != 0,
      .loopback = (types & HF_NS_NET) != 0,
      .private_mounts = (types & HF_NS_MNT) != 0,
      .mount_proc = (types & HF_NS_MNT) && (types & HF_NS_PID),
      .init = (types & HF_NS_PID) != 0,
      .init_waits = spec.wait_tree,
      .no_new_privs = spec.plan.no_new_privs,
      .landlock_fd = spec.plan.landlock_fd,
      .filter = spec.plan.filter,
      .join = spec.plan.join,
      .paths = line.paths.data(),
      .arguments = line.arguments.data(),
      .shell_arguments = line.shell_arguments.data(),
      .environment = environ,
      .signal_mask = &spec.signal_mask,
      .ignore_child_signal = spec.ignore_child_signal,
      .descriptors = kernel::descriptor_limit_before(),
  };
}

}  // namespace

Result<Spawned> Spawned::start(const SpawnSpec& spec) {
  HF_TRY_ASSIGN(auto ends, kernel::make_channel());
  CommandLine line(spec.command);
  auto forked = kernel::fork_child(kernel::clone_flags_from_types(spec.unshare_types),
                                   child_spec(spec, line, ends));
  if (!forked) return describe_fork_error(forked.error(), spec.unshare_types);

  Spawned spawned;
  spawned.forked_ = std::move(*forked);
  spawned.channel_ = std::move(ends[0]);
  if (const auto cookie = kernel::socket_cookie(ends[1].get())) spawned.channel_cookie_ = *cookie;
  ends[1].reset();  // so that the channel ends when the child dies
  spawned.unshare_types_ = spec.unshare_types;
  spawned.command_name_ = spec.command.front();
  if (spec.unshare_types & HF_NS_USER) {
    HF_TRY(wrap(kernel::write_identity_maps(spawned.forked_.pid),
                "map ids into the new user namespace"));
    HF_TRY(kernel::send_byte(spawned.channel_.get(), kernel::kChildMapsWritten));
  }
  HF_TRY(spawned.open_namespaces());
  HF_TRY(spawned.wait_until_ready());
  return spawned;
}

// This process opens the namespaces itself. It does not trust descriptors that the child sends.
Result<void> Spawned::open_namespaces() {
  for (unsigned bit = 0; bit < HF_NS_COUNT; bit++) {
    if (!(unshare_types_ & (1u << bit))) continue;
    HF_TRY_ASSIGN(namespaces_[bit], kernel::open_namespace(forked_.pid, bit));
  }
  return {};
}

Result<void> Spawned::wait_until_ready() {
  HF_TRY_ASSIGN(auto received, kernel::receive_report(channel_.get()));
  if (!received) return Error{0, "start the command", {}, "the child died before it was ready"};
  if (received->kind != ChildReport::Kind::ready) return describe_child_error(*received);
  if (received->listener_number < 0) return {};
  return take_listener(received->listener_number);
}

// The child sends the number of the listener before it installs the filter. Afterwards it cannot,
// since the filter may notify the send. Instead it blocks in its self-test call, so the number
// stays valid. This polls until the descriptor exists.
Result<void> Spawned::take_listener(int number) {
  for (;;) {
    auto listener = kernel::duplicate_from(forked_.pidfd.get(), number);
    if (listener) {
      listener_ = std::move(*listener);
      return {};
    }
    if (listener.error().code != EBADF) return wrap(listener.error(), "take the seccomp listener");
    HF_TRY_ASSIGN(const auto ready, kernel::poll_readable({channel_.get()}, 0));
    if (ready.front()) {
      HF_TRY_ASSIGN(auto received, kernel::receive_report(channel_.get()));
      if (received) return describe_child_error(*received);
      return Error{0, "install the seccomp filter", {}, "the child died"};
    }
    kernel::sleep_us(kListenerLookUs);
  }
}

Result<void> Spawned::wait_for_self_test() {
  HF_TRY_ASSIGN(auto received, kernel::receive_report(channel_.get()));
  if (!received) return Error{0, "prove the seccomp filter", {}, "the child died"};
  if (received->kind != ChildReport::Kind::self_test_held) return describe_child_error(*received);
  return {};
}

Result<void> Spawned::release() { return kernel::send_byte(channel_.get(), kernel::kChildRelease); }

std::optional<Spawned::Message> Spawned::read_message() {
  const auto received = kernel::receive_report(channel_.get());
  if (!received) return Message{received.error(), false};
  if (!*received) return std::nullopt;
  const ChildReport& report = **received;
  if (report.kind == ChildReport::Kind::command_ended) return Message{std::nullopt, true};
  if (report.step != ChildStep::exec) return Message{describe_child_error(report), false};
  return Message{Error{report.error, command_name_, {}, {}}, false};
}

backend::Child Spawned::child() const {
  backend::Child child;
  child.pid = forked_.pid;
  child.pidfd = forked_.pidfd.get();
  child.listener_fd = listener_.get();
  child.channel_cookie = channel_cookie_;
  for (unsigned bit = 0; bit < HF_NS_COUNT; bit++) child.namespace_fd[bit] = namespaces_[bit].get();
  return child;
}

}  // namespace holdfast::run
