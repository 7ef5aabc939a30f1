// SPDX-License-Identifier: Apache-2.0
// The programs that decide moves between cgroups (bpf/cgroup.bpf.c), loaded and attached.
#ifndef HOLDFAST_BACKEND_LSM_CGROUP_HOOKS_H
#define HOLDFAST_BACKEND_LSM_CGROUP_HOOKS_H

#include <cstdint>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/lsm/cgroup_paths.h"
#include "base/result.h"

struct cgroup_bpf;
struct ring_buffer;

namespace holdfast::backend::lsm {

// load(), publish(), attach(); attached until destroyed, all programs or none. One thread.
class CgroupHooks {
 public:
  // Errors: what the kernel says to loading.
  [[nodiscard]] static Result<std::unique_ptr<CgroupHooks>> load(EventSink sink);
  ~CgroupHooks();
  CgroupHooks(const CgroupHooks&) = delete;
  CgroupHooks& operator=(const CgroupHooks&) = delete;

  // Makes tables and paths live with one store and returns once no decision uses the ones before.
  // Their generations must be equal, and differ from the live one's. On error nothing has changed.
  [[nodiscard]] Result<void> publish(const hf_tables& tables, CgroupPaths paths);

  // Without a policy that is live every move is refused, so publish() first.
  [[nodiscard]] Result<void> attach();

  // Adds the delegations that were there before attach(). Later ones are seen as they are made.
  [[nodiscard]] Result<void> learn_delegations(const std::string& cgroup_root);

  [[nodiscard]] int poll_fd() const;
  // Hands the events that are ready to the sink.
  [[nodiscard]] Result<void> dispatch();
  [[nodiscard]] Totals totals() const;
  // Moves that the kernel allowed without asking the programs. Anything but 0 is a defect.
  [[nodiscard]] std::uint64_t unasked() const;

 private:
  explicit CgroupHooks(EventSink sink);
  [[nodiscard]] Result<void> load_programs();
  [[nodiscard]] Result<void> insert(const CgroupPaths& paths);
  void erase(const CgroupPaths& paths);

  EventSink sink_;
  cgroup_bpf* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  CgroupPaths live_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_CGROUP_HOOKS_H
