// SPDX-License-Identifier: Apache-2.0
// Probes the hooks for BPF programs of third parties: programs for all hooks are loaded through
// libholdfast-hooks, and a process asks for what they refuse to it.
#ifndef HOLDFAST_HOOKS_PROBE_HOOK_PROBE_H
#define HOLDFAST_HOOKS_PROBE_HOOK_PROBE_H

#include <string>
#include <vector>

namespace holdfast::hooks {

struct HookProbe {
  enum class Outcome {
    held,        // the program ran, and what it refused did not happen
    failed,      // it did not run, or what it refused happened
    unavailable  // the kernel has neither the hook nor what stands in for it, or a privilege is missing
  };
  std::string hook;  // "namespace_install"
  Outcome outcome = Outcome::failed;
  std::string detail;
};

// One entry for each hook of libholdfast-hooks. Loads and attaches programs for about a second, in a
// child process; they do nothing to other processes. Empty: the kernel has no type information. Call
// with one thread.
[[nodiscard]] std::vector<HookProbe> probe_hooks();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_PROBE_HOOK_PROBE_H
