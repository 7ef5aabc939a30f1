// SPDX-License-Identifier: Apache-2.0
// How a policy becomes what the machine-wide programs decide by, and how an old one goes.
#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "backend/lsm/machine/cgroup_globals.h"
#include "backend/lsm/machine/cgroup_hooks.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

// libbpf returns a negative errno.
Error bpf_error(int code, std::string operation, std::string object = {}) {
  return Error{-code, std::move(operation), std::move(object), {}};
}

Result<void> insert_paths(int names_fd, int globs_fd, const CgroupPaths& paths) {
  for (const auto& name : paths.names)
    if (const int code = bpf_map_update_elem(names_fd, &name.key, &name.edge, BPF_NOEXIST);
        code != 0)
      return bpf_error(code, "bind cgroup", name.key.name);
  for (const auto& glob : paths.globs)
    if (const int code = bpf_map_update_elem(globs_fd, &glob.key, &glob.glob, BPF_NOEXIST);
        code != 0)
      return bpf_error(code, "bind cgroup pattern", glob.glob.text);
  return {};
}

bool restricts_namespaces(const hf_tables& tables) {
  const std::span used(tables.profiles, tables.profile_count);
  return std::ranges::any_of(used, [](const hf_profile& profile) {
    return profile.ns_create != HF_NS_ALL || profile.ns_enter != HF_ENTER_ANY;
  });
}

bool keeps_tasks(const hf_tables& tables) {
  const std::span used(tables.profiles, tables.profile_count);
  return restricts_namespaces(tables) || std::ranges::any_of(used, [](const hf_profile& profile) {
           return profile.cg_leave != HF_MOVERS_ANY;
         });
}

// What is looked at before the tables: on before they are live, off only after.
class Switches {
 public:
  Switches(Globals& globals, const LivePolicy& policy) : globals_(globals), policy_(policy) {}

  void on() {
    if (restricts_namespaces(*policy_.tables)) of(globals_.namespace_rules).store(1);
    if (keeps_tasks(*policy_.tables)) of(globals_.helper_rules).store(1);
    if (!policy_.marks.empty()) of(globals_.mark_rules).store(1);
    of(globals_.socket_operations).fetch_or(policy_.sockets.operations);
    if (policy_.sockets.peers) of(globals_.socket_peers).store(1);
    if (policy_.sockets.ruled_labels) of(globals_.label_rules).store(1);
    if (policy_.sockets.inherits) of(globals_.label_inherits).store(1);
  }

  void off() {
    if (!restricts_namespaces(*policy_.tables)) of(globals_.namespace_rules).store(0);
    if (!keeps_tasks(*policy_.tables)) of(globals_.helper_rules).store(0);
    if (policy_.marks.empty()) of(globals_.mark_rules).store(0);
    of(globals_.socket_operations).store(policy_.sockets.operations);
    if (!policy_.sockets.ruled_labels) of(globals_.label_rules).store(0);
    if (!policy_.sockets.inherits) of(globals_.label_inherits).store(0);
  }

 private:
  static std::atomic_ref<__u32> of(__u32& value) { return std::atomic_ref<__u32>(value); }
  Globals& globals_;
  const LivePolicy& policy_;
};

// Nobody, with whatever descriptor, changes what it says from then on.
Result<Fd> frozen_tables(const hf_tables& tables) {
  const std::uint32_t zero = 0;
  Fd inner(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_tables", sizeof(zero), sizeof(tables), 1, nullptr));
  if (!inner) return kernel::system_error("make table map");
  if (const int code = bpf_map_update_elem(inner.get(), &zero, &tables, BPF_ANY); code != 0)
    return bpf_error(code, "fill table map");
  if (bpf_map_freeze(inner.get()) != 0) return kernel::system_error("freeze table map");
  return inner;
}

}  // namespace

MarkMaps CgroupHooks::mark_maps() const {
  return {map_fd("mark_names"), map_fd("mark_ids"), map_fd("marked_cgroups"),
          map_fd("mark_learner")};
}

SocketMaps CgroupHooks::socket_maps() const {
  return {map_fd("label_ids"), map_fd("socket_profiles"), map_fd("socket_rates"),
          map_fd("machine_buckets"), map_fd("bucket_uses")};
}

Result<void> CgroupHooks::insert(const LivePolicy& policy) {
  auto inserted = insert_paths(map_fd("cgroup_names"), map_fd("cgroup_globs"), policy.paths);
  if (inserted) inserted = lsm::insert(mark_maps(), policy.marks);
  if (inserted) inserted = lsm::insert(socket_maps(), policy.sockets);
  if (inserted) inserted = meters_.insert(policy.tables->generation, policy.profiles);
  return inserted;
}

// Takes back what was put beside the live policy.
void CgroupHooks::keep_live_alone() const {
  if (const auto live = live_generation()) sweep(*live);
}

Result<void> CgroupHooks::publish(LivePolicy policy) {
  const std::uint32_t zero = 0;
  const std::uint64_t generation = policy.tables->generation;
  const auto outer = open_live_policy();
  if (!outer) return outer.error();
  const auto inner = frozen_tables(*policy.tables);
  if (!inner) return inner.error();
  if (auto inserted = insert(policy); !inserted) {
    keep_live_alone();
    return inserted;
  }
  Switches switches(globals_of(skeleton_, adopted_totals_.get()), policy);
  switches.on();
  const int inner_fd = inner->get();
  // The store. It returns after every program that saw the old map has ended
  // (maybe_wait_bpf_programs() in kernel/bpf/syscall.c), so the old entries can go.
  if (const int code = bpf_map_update_elem(outer->get(), &zero, &inner_fd, BPF_ANY); code != 0) {
    keep_live_alone();
    return bpf_error(code, "make policy live");
  }
  switches.off();
  sweep(generation);
  drop_other_buckets(socket_maps(), policy.sockets);
  live_marks_ = std::move(policy.marks);
  return {};
}

Result<std::uint64_t> CgroupHooks::live_generation() const {
  const auto inner = kernel::inner_map(map_fd("cgroup_tables"));
  if (!inner) return inner.error();
  const auto tables = std::make_unique<hf_tables>();
  const std::uint32_t zero = 0;
  if (const int code = bpf_map_lookup_elem(inner->get(), &zero, tables.get()); code != 0)
    return bpf_error(code, "read live policy");
  if (tables->magic != HF_TABLES_MAGIC || tables->version != HF_ABI_VERSION)
    return Error{EPROTO, "adopt", "cgroup_tables", "the live policy is of another version"};
  return tables->generation;
}

void CgroupHooks::sweep(std::uint64_t live) const {
  // The generation comes first in each key.
  const auto sweep_map = [&](int fd, std::size_t key_bytes) {
    std::vector<std::byte> key(key_bytes), next(key_bytes);
    bool more = bpf_map_get_next_key(fd, nullptr, key.data()) == 0;
    while (more) {
      more = bpf_map_get_next_key(fd, key.data(), next.data()) == 0;
      std::uint64_t of = 0;
      std::memcpy(&of, key.data(), sizeof(of));
      if (of != live) bpf_map_delete_elem(fd, key.data());
      key.swap(next);
    }
  };
  sweep_map(map_fd("cgroup_names"), sizeof(hf_path_key));
  sweep_map(map_fd("cgroup_globs"), sizeof(hf_glob_key));
  sweep_map(map_fd("mark_names"), sizeof(hf_mark_key));
  sweep_map(map_fd("mark_ids"), sizeof(hf_mark_id_key));
  sweep_map(map_fd("meter_slots"), sizeof(hf_meter_key));
  const SocketMaps sockets = socket_maps();
  sweep_map(sockets.ids, sizeof(hf_label_id_key));
  sweep_map(sockets.profiles, sizeof(hf_policy_key));
  sweep_map(sockets.rates, sizeof(hf_policy_key));
}

// What was said once is not said again.
Warn CgroupHooks::once(const Warn& warn) {
  return [this, warn](const std::string& text) {
    if (warn && warned_.insert(text).second) warn(text);
  };
}

Result<void> CgroupHooks::learn_marked_cgroups(const std::string& cgroup_root,
                                               const std::vector<MarkEntry>& marks,
                                               const Warn& warn) {
  return record_marked_cgroups(map_fd("marked_cgroups"), cgroup_root, marks, once(warn));
}

Result<void> CgroupHooks::learn_marks(const std::string& cgroup_root, const Warn& warn) {
  auto learned = lsm::learn_marks(mark_maps(), cgroup_root, live_marks_, once(warn));
  std::atomic_ref<__u32>(globals_of(skeleton_, adopted_totals_.get()).mark_epoch).fetch_add(1);
  return learned;
}

}  // namespace holdfast::backend::lsm
