// SPDX-License-Identifier: Apache-2.0
// Enforcement for the whole machine, as holdfastd asks for it. Only the lsm backend can do it.
#ifndef HOLDFAST_BACKEND_MACHINE_H
#define HOLDFAST_BACKEND_MACHINE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "core/abi.h"

namespace holdfast::backend {

// The subtree of a cgroup path belongs to a profile. '*' in a component matches any run of
// characters of that component. Starts with '/'.
struct CgroupBinding {
  std::string path;
  std::uint16_t profile = 0;
};

// An extended attribute on an executable or a cgroup that confers a profile.
struct MarkBinding {
  std::string name;  // "user.…" or "trusted.…"
  std::uint16_t profile = 0;
};

struct MachineSpec {
  const hf_tables* tables = nullptr;  // borrowed during attach() and update() only: copied
  std::vector<CgroupBinding> bindings;
  std::vector<MarkBinding> marks;
  std::string cgroup_root = "/sys/fs/cgroup";  // where the unified hierarchy is mounted
};

// Attached whole from attach() until destroyed; one thread.
class Machine {
 public:
  virtual ~Machine() = default;
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  // Hands every event that is ready to the sink, without blocking.
  virtual Result<void> dispatch() = 0;
  // Makes another policy live with one store; on error the old one stays in force.
  virtual Result<void> update(const MachineSpec& spec) = 0;
  [[nodiscard]] virtual Totals totals() const = 0;
};

// What attach_machine() promises, one entry for each RuleKind. Attaches nothing.
[[nodiscard]] std::vector<Promise> machine_promises();

// Errors: ENOTSUP with the reason when this kernel or user cannot; EPERM when the canary was not
// refused.
[[nodiscard]] Result<std::unique_ptr<Machine>> attach_machine(const MachineSpec& spec,
                                                              EventSink sink);

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_MACHINE_H
