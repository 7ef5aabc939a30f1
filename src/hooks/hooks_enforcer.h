// SPDX-License-Identifier: Apache-2.0
// holdfast's own BPF programs for a bridged program: the enforcer, which refuses, and the programs
// that record its arguments.
#ifndef HOLDFAST_HOOKS_HOOKS_ENFORCER_H
#define HOLDFAST_HOOKS_HOOKS_ENFORCER_H

#include <bpf/libbpf.h>

#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "hooks/hooks_sites.h"

namespace holdfast::hooks {

// The objects that a bridged program and its enforcer share. Descriptors are borrowed; -1: none.
struct Shared {
  int verdicts_fd = -1;
  int scope_fd = -1;
  int tasks_fd = -1;
  std::uint64_t scope_id = 0;  // id of the cgroup in scope; 0: all tasks
};

class Enforcer {
 public:
  // Loads the programs and attaches none. Only for kInstall and kCgroupAttach: the other hooks need
  // no enforcer. Errors: of libbpf and bpf(2).
  static Result<Enforcer> create(Hook hook, const Shared& shared);

  // Attaches all programs. Returns one link for each; the link of the refusing program is the
  // first. Errors: of bpf(2).
  Result<std::vector<Fd>> attach();

 private:
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  using Object = std::unique_ptr<bpf_object, Close>;

  explicit Enforcer(Object object) : object_(std::move(object)) {}

  Object object_;
};

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_ENFORCER_H
