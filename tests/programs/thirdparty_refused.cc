// SPDX-License-Identifier: Apache-2.0
// What cannot be bridged is refused when it is loaded, and the message says what and why.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include "bpf/thirdparty_refused.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

// Under either name of the hook for new namespaces.
bool is_native(const std::string& hook) {
  if (hook == "namespace_init" || hook == "namespace_alloc")
    return kernel_has("bpf_lsm_namespace_init") || kernel_has("bpf_lsm_namespace_alloc");
  return kernel_has("bpf_lsm_" + hook);
}

// 0, or the errno of loading only this program. The skeleton is for the caller.
int load_only(const char* name, thirdparty_refused_bpf** skeleton) {
  printed.clear();
  *skeleton = thirdparty_refused_bpf__open();
  bpf_program__set_autoload(bpf_object__find_program_by_name((*skeleton)->obj, name), true);
  return -thirdparty_refused_bpf__load(*skeleton);
}

void refused(const char* name, const char* what, const char* why) {
  thirdparty_refused_bpf* skeleton = nullptr;
  const int error = load_only(name, &skeleton);
  check(error != 0, std::string(name) + ": refused when it is loaded");
  if (!check(printed.find(what) != std::string::npos && printed.find(why) != std::string::npos,
             std::string(name) + ": the message says what and why")) {
    std::printf("# %s\n", printed.c_str());
  }
  thirdparty_refused_bpf__destroy(skeleton);
}

// In a child whose unshare() the program refuses: how it ends.
int end_of_child(thirdparty_refused_bpf* skeleton) {
  return in_child([skeleton] {
    skeleton->bss->monitored = static_cast<unsigned>(getpid());
    return unshare(CLONE_NEWUTS) == 0 ? 0 : errno;
  });
}

void try_choice(holdfast_alloc_refusal choice, const std::string& name, int wanted) {
  holdfast_hooks_alloc_refusal(choice);
  thirdparty_refused_bpf* skeleton = nullptr;
  is(load_only("refuses_alloc", &skeleton), 0, name + ": it loads");
  is(thirdparty_refused_bpf__attach(skeleton), 0, name + ": and attaches");
  is(end_of_child(skeleton), wanted, name + ": what becomes of the task");
  is(in_child([] { return unshare(CLONE_NEWUTS) == 0 ? 0 : errno; }), 0,
     name + ": others are not touched");
  thirdparty_refused_bpf__destroy(skeleton);
}

}  // namespace

int main() {
  libbpf_set_print(collect);
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  holdfast_hook_status hooks[HOLDFAST_HOOKS];
  is(holdfast_hooks_status(hooks, HOLDFAST_HOOKS), HOLDFAST_HOOKS, "every hook has a status");
  bool bridged = true;
  for (const holdfast_hook_status& hook : hooks) {
    const bool native = is_native(hook.hook);
    check(hook.state == (native ? HOLDFAST_HOOK_NATIVE : HOLDFAST_HOOK_BRIDGED) &&
              hook.how[0] != '\0',
          std::string(hook.hook) + ": " + hook.how);
    bridged = bridged && !native;
  }
  if (!bridged) return tap_end();  // what follows a kernel with the hooks takes
  refused("sleeps", "bpf_copy_from_user", "must not sleep");
  refused("tail_calls", "bpf_tail_call", "array");
  refused("lsm_only", "bpf_inode_storage_get", "LSM programs only");
  refused("bad_access", "bad_access", "the line that the verifier's log has to show");
  try_choice(HOLDFAST_ALLOC_ASK, "ask", EPERM);
  try_choice(HOLDFAST_ALLOC_ASK_AND_TELL, "ask and tell", EPERM);
  try_choice(HOLDFAST_ALLOC_KILL, "kill", 256 + SIGKILL);
  try_choice(HOLDFAST_ALLOC_IGNORE, "ignore", 0);
  return tap_end();
}
