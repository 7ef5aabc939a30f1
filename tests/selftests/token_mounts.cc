// SPDX-License-Identifier: Apache-2.0
// Stands for syscall() in the kernel's prog_tests/token.c: what its parent asks fsconfig(2) to
// delegate is read, and the filesystem created, by holdfast.
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <string>

#include "delegate/set.h"
#include "kernel/bpf/bpffs.h"

namespace {

using namespace holdfast;

pid_t parent = 0;
delegate::Set wanted;

long refuse(const Error& error) {
  errno = error.code;
  return -1;
}

long set_string(const std::string& key, const std::string& value) {
  for (const delegate::Kind kind : delegate::kKinds) {
    if (key != delegate::option_of(kind)) continue;
    const auto parsed = delegate::parse(kind, value, delegate::vocabulary_here());
    if (!parsed) return refuse(parsed.error());
    wanted[kind] |= parsed->mask;
    return 0;
  }
  return refuse(Error{EINVAL, "set", key, ""});
}

// As holdfast prints it.
long create(int context_fd) {
  std::vector<kernel::FsOption> options;
  for (const delegate::Kind kind : delegate::kKinds) {
    const std::string text = delegate::print(kind, wanted[kind], delegate::vocabulary_here());
    if (!text.empty()) options.push_back({std::string(delegate::option_of(kind)), text});
  }
  wanted = {};
  const auto created = kernel::create_bpffs(context_fd, options);
  return created ? 0 : refuse(created.error());
}

}  // namespace

extern "C" void holdfast_mounts() { parent = getpid(); }

extern "C" long holdfast_syscall(long number, ...) {
  va_list list;
  long a[6];
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_fsconfig && getpid() == parent) {
    const auto command = static_cast<unsigned>(a[1]);
    if (command == FSCONFIG_SET_STRING)
      return set_string(reinterpret_cast<const char*>(a[2]), reinterpret_cast<const char*>(a[3]));
    if (command == FSCONFIG_CMD_CREATE) return create(static_cast<int>(a[0]));
  }
  return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
