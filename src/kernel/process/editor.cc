// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/editor.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/process/process.h"

namespace holdfast::kernel {

Result<int> run_editor(const std::string& path) {
  std::string shell = "sh";
  std::string option = "-c";
  std::string script = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
  std::string file = path;
  char* arguments[] = {shell.data(), option.data(), script.data(),
                       shell.data(), file.data(),   nullptr};
  pid_t pid = 0;
  if (const int code = ::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments, environ);
      code != 0)
    return Error{code, "start an editor", "", ""};
  const int status = wait_for_end(pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace holdfast::kernel
