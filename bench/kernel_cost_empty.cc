// SPDX-License-Identifier: Apache-2.0
// kernel_cost_empty run|sockets|machine CMD...: runs CMD while programs that do nothing sit where
// those of a run under the lsm backend are, those for its socket rules, or those of holdfastd.
#include <bpf/btf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "bpf/empty_hooks.skel.h"
#include "bpf/empty_machine.skel.h"
#include "bpf/empty_sockets.skel.h"

namespace {

// The functions by which kernels before 6.18 make namespaces are there later too, unused by the
// backend.
bool is_used(std::string_view section, const btf* kernel, bool has_common_init) {
  const std::string_view function = section.substr(section.find('/') + 1);
  if (section.starts_with("lsm/") || function.ends_with("ns_install")) return true;
  if (function.starts_with("__ns_common")) return has_common_init;
  return !has_common_init && btf__find_by_name_kind(kernel, function.data(), BTF_KIND_FUNC) > 0;
}

bool attach_for_run() {
  empty_hooks_bpf* hooks = empty_hooks_bpf__open();
  btf* kernel = btf__load_vmlinux_btf();
  if (hooks == nullptr || kernel == nullptr) return false;
  const bool has_common_init =
      btf__find_by_name_kind(kernel, "__ns_common_init", BTF_KIND_FUNC) > 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, hooks->obj) {
    const char* section = bpf_program__section_name(program);
    bpf_program__set_autoload(program, is_used(section, kernel, has_common_init));
  }
  btf__free(kernel);
  return empty_hooks_bpf__load(hooks) == 0 && empty_hooks_bpf__attach(hooks) == 0;
}

// From Linux 7.4 on the kernel's own hooks take the place of capable().
bool attach_for_machine() {
  empty_machine_bpf* hooks = empty_machine_bpf__open();
  btf* kernel = btf__load_vmlinux_btf();
  if (hooks == nullptr || kernel == nullptr) return false;
  const bool native =
      btf__find_by_name_kind(kernel, "bpf_lsm_namespace_install", BTF_KIND_FUNC) > 0;
  btf__free(kernel);
  bpf_program__set_autoload(hooks->progs.capable, !native);
  for (bpf_program* program :
       {hooks->progs.namespace_install, hooks->progs.namespace_init, hooks->progs.namespace_free})
    bpf_program__set_autoload(program, native);
  return empty_machine_bpf__load(hooks) == 0 && empty_machine_bpf__attach(hooks) == 0;
}

bool attach_for_sockets() {
  empty_sockets_bpf* hooks = empty_sockets_bpf__open_and_load();
  return hooks != nullptr && empty_sockets_bpf__attach(hooks) == 0;
}

bool attach(std::string_view where) {
  if (where == "run") return attach_for_run();
  if (where == "machine") return attach_for_machine();
  return where == "sockets" && attach_for_sockets();
}

}  // namespace

// What is attached goes with this process.
int main(int argc, char** argv) {
  const std::string_view where = argc > 2 ? argv[1] : "";
  if (!attach(where)) {
    std::fprintf(stderr, "kernel_cost_empty: cannot attach\n");
    return 1;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    execv(argv[2], argv + 2);
    _exit(127);
  }
  int status = 1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
