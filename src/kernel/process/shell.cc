// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/shell.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/process/process.h"

namespace holdfast::kernel {

Result<int> run_script(const std::string& script, const std::string& argument) {
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = script;
  std::string first = argument;
  char* arguments[] = {shell.data(), option.data(), text.data(),
                       shell.data(), first.data(),  nullptr};
  pid_t pid = 0;
  if (const int code = ::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments, environ);
      code != 0)
    return Error{code, "start sh", "", ""};
  const int status = wait_for_end(pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace holdfast::kernel
