// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/editor.h"

#include "kernel/process/shell.h"

namespace holdfast::kernel {

Result<int> run_editor(const std::string& path) {
  return wrap(run_script("exec ${VISUAL:-${EDITOR:-vi}} \"$1\"", path), "start an editor");
}

}  // namespace holdfast::kernel
