// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/cgroup_hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "base/fd.h"
#include "bpf/cgroup.skel.h"
#include "kernel/cgroup.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

// libbpf returns a negative errno.
Error bpf_error(int code, std::string operation, std::string object = {}) {
  return Error{-code, std::move(operation), std::move(object), {}};
}

int on_event(void* sink, void* data, std::size_t size) {
  if (size == sizeof(hf_event))
    (*static_cast<EventSink*>(sink))(*static_cast<const hf_event*>(data));
  return 0;
}

std::uint64_t read_counter(const __u64& counter) {
  return std::atomic_ref<const __u64>(counter).load(std::memory_order_relaxed);
}

}  // namespace

CgroupHooks::CgroupHooks(EventSink sink) : sink_(std::move(sink)) {}

CgroupHooks::~CgroupHooks() {
  ring_buffer__free(ring_);
  cgroup_bpf::destroy(skeleton_);
}

Result<std::unique_ptr<CgroupHooks>> CgroupHooks::load(EventSink sink) {
  std::unique_ptr<CgroupHooks> hooks(new CgroupHooks(std::move(sink)));
  if (auto done = hooks->load_programs(); !done) return std::move(done).error();
  return hooks;
}

Result<void> CgroupHooks::load_programs() {
  skeleton_ = cgroup_bpf::open();
  if (skeleton_ == nullptr) return kernel::system_error("open BPF object", "cgroup");
  if (const int code = cgroup_bpf::load(skeleton_); code != 0)
    return bpf_error(code, "load BPF object", "cgroup");
  ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.cgroup_events), on_event, &sink_, nullptr);
  if (ring_ == nullptr) return kernel::system_error("open event ring", "cgroup");
  return {};
}

Result<void> CgroupHooks::insert(const CgroupPaths& paths) {
  const int names_fd = bpf_map__fd(skeleton_->maps.cgroup_names);
  const int globs_fd = bpf_map__fd(skeleton_->maps.cgroup_globs);
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

void CgroupHooks::erase(const CgroupPaths& paths) {
  const int names_fd = bpf_map__fd(skeleton_->maps.cgroup_names);
  const int globs_fd = bpf_map__fd(skeleton_->maps.cgroup_globs);
  for (const auto& name : paths.names) bpf_map_delete_elem(names_fd, &name.key);
  for (const auto& glob : paths.globs) bpf_map_delete_elem(globs_fd, &glob.key);
}

Result<void> CgroupHooks::publish(const hf_tables& tables, CgroupPaths paths) {
  const std::uint32_t zero = 0;
  const Fd inner(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_tables", sizeof(zero), sizeof(tables), 1, nullptr));
  if (!inner) return bpf_error(inner.get(), "make table map");
  if (const int code = bpf_map_update_elem(inner.get(), &zero, &tables, BPF_ANY); code != 0)
    return bpf_error(code, "fill table map");
  if (auto inserted = insert(paths); !inserted) {
    erase(paths);
    return inserted;
  }
  const int inner_fd = inner.get();
  // The store. It returns after every program that saw the old map has ended
  // (maybe_wait_bpf_programs() in kernel/bpf/syscall.c), so the old entries can go.
  const int code =
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.cgroup_tables), &zero, &inner_fd, BPF_ANY);
  if (code != 0) {
    erase(paths);
    return bpf_error(code, "make policy live");
  }
  erase(std::exchange(live_, std::move(paths)));
  return {};
}

// The capture last: it decides, and finds moved tasks only once the others are there. Destroying
// the skeleton detaches it first, for it comes first in the object.
Result<void> CgroupHooks::attach() {
  auto& links = skeleton_->links;
  const auto& programs = skeleton_->progs;
  const std::pair<bpf_link**, bpf_program*> in_order[] = {
      {&links.cgroup_removed, programs.cgroup_removed},
      {&links.cgroup_set_xattr, programs.cgroup_set_xattr},
      {&links.cgroup_remove_xattr, programs.cgroup_remove_xattr},
      {&links.cgroup_forget, programs.cgroup_forget},
      {&links.cgroup_clone, programs.cgroup_clone},
      {&links.cgroup_named, programs.cgroup_named},
      {&links.cgroup_enforce, programs.cgroup_enforce},
      {&links.cgroup_release, programs.cgroup_release},
      {&links.cgroup_capture, programs.cgroup_capture},
  };
  for (const auto& [link, program] : in_order) {
    *link = bpf_program__attach(program);
    if (*link == nullptr)
      return kernel::system_error("attach BPF program", bpf_program__name(program));
  }
  return {};
}

Result<void> CgroupHooks::learn_delegations(const std::string& cgroup_root) {
  static constexpr char kName[] = "trusted.delegate";
  const auto found = kernel::cgroups_with_attribute(cgroup_root, kName, "1");
  if (!found) return found.error();
  const int map_fd = bpf_map__fd(skeleton_->maps.cgroup_delegated);
  for (const std::string& directory : *found) {
    const auto id = kernel::cgroup_id(directory);
    if (!id) continue;  // gone
    const std::uint8_t delegated = 1;
    // An entry that is there already is newer than what was read here.
    const int code = bpf_map_update_elem(map_fd, &*id, &delegated, BPF_NOEXIST);
    if (code != 0 && code != -EEXIST) return bpf_error(code, "learn delegation", directory);
  }
  return {};
}

int CgroupHooks::poll_fd() const { return ring_buffer__epoll_fd(ring_); }

Result<void> CgroupHooks::dispatch() {
  if (const int code = ring_buffer__consume(ring_); code < 0) return bpf_error(code, "read events");
  return {};
}

Totals CgroupHooks::totals() const {
  const auto& from = skeleton_->bss->cgroup_totals;
  Totals totals;
  totals.allowed = read_counter(from.allowed);
  totals.denied = read_counter(from.denied);
  totals.audited = read_counter(from.audited);
  totals.errors = read_counter(from.errors);
  totals.lost = read_counter(from.lost);
  return totals;
}

std::uint64_t CgroupHooks::unasked() const {
  return read_counter(skeleton_->bss->cgroup_totals.unasked);
}

}  // namespace holdfast::backend::lsm
