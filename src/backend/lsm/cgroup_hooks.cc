// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/cgroup_hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/lsm/instance.h"
#include "backend/lsm/machine_guard.h"
#include "base/digest.h"
#include "base/fd.h"
#include "bpf/cgroup.skel.h"
#include "kernel/bpf_stats.h"
#include "kernel/sockets.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

struct CgroupHooks::Reading {
  Reading(EventSink* to, unsigned most) : sink(to), left(most) {}
  EventSink* sink;
  unsigned left;
};

namespace {

// libbpf returns a negative errno.
Error bpf_error(int code, std::string operation, std::string object = {}) {
  return Error{-code, std::move(operation), std::move(object), {}};
}

// Whoever makes events as fast as they are read must not keep the reader from all else.
constexpr unsigned kMostAtOnce = 4096;
constexpr int kEnough = -4096;  // no errno

constexpr std::string_view kMapPrefix = "map_";
constexpr std::string_view kLinkPrefix = "link_";
constexpr char kDecider[] = "link_cgroup_capture";

// A pin's name may hold no dot, and ".bss" has one.
std::string pin_name(std::string_view prefix, std::string_view name) {
  std::string text = std::string(prefix).append(name);
  std::ranges::replace(text, '.', '_');
  return text;
}

Error not_ours(const std::string& pin, std::string why) {
  return Error{EPROTO, "adopt", pin, std::move(why)};
}

Result<void> check_map(const bpf_map* map, const std::string& path, int fd) {
  const auto found = kernel::map_shape(fd);
  if (!found) return not_ours(path, "not a map");
  const kernel::MapShape wanted = {static_cast<std::uint32_t>(bpf_map__type(map)),
                                   bpf_map__key_size(map), bpf_map__value_size(map),
                                   bpf_map__max_entries(map)};
  if (*found == wanted) return {};
  return not_ours(path, "a map of another layout");
}

Result<void> check_link(const bpf_program* program, const std::string& path, int fd) {
  const auto found = kernel::link_shape(fd);
  if (!found) return not_ours(path, "not an attached program");
  // The kernel keeps 15 bytes of a program's name, and calls links of tp_btf raw tracepoints.
  const bool attached =
      found->type == BPF_LINK_TYPE_TRACING || found->type == BPF_LINK_TYPE_RAW_TRACEPOINT;
  const std::string_view name = bpf_program__name(program);
  if (attached && found->program == name.substr(0, 15)) return {};
  return not_ours(path, "attaches another program: " + found->program);
}

std::uint64_t read_counter(const __u64& counter) {
  return std::atomic_ref<const __u64>(counter).load(std::memory_order_relaxed);
}

// Of the program that the pinned link attaches. 0: no link is pinned there.
std::uint32_t program_id(const std::string& pin) {
  const auto link = kernel::open_pinned(pin);
  if (!link) return 0;
  const auto shape = kernel::link_shape(link->get());
  return shape ? shape->program_id : 0;
}

// Of the links that pin() left, the guard's too.
std::vector<std::uint32_t> program_ids(const std::string& directory) {
  std::vector<std::uint32_t> ids;
  const auto names = kernel::names_in(directory);
  for (const std::string& name : names ? *names : std::vector<std::string>())
    if (const std::uint32_t id = program_id(directory + "/" + name); id != 0) ids.push_back(id);
  return ids;
}

using Globals = std::remove_pointer_t<decltype(cgroup_bpf::bss)>;

// The object's globals: the skeleton's mapping, or that of the pin.
Globals& globals_of(const cgroup_bpf* skeleton, const std::unique_ptr<kernel::MappedValue>& pin) {
  return pin ? *static_cast<Globals*>(pin->data()) : *skeleton->bss;
}

bool restricts_namespaces(const hf_tables& tables) {
  const std::span used(tables.profiles, tables.profile_count);
  return std::ranges::any_of(used, [](const hf_profile& profile) {
    return profile.ns_create != HF_NS_ALL || profile.ns_enter != HF_ENTER_ANY;
  });
}

}  // namespace

int CgroupHooks::on_event(void* context, void* data, std::size_t size) {
  auto* reading = static_cast<Reading*>(context);
  if (size == sizeof(hf_event)) (*reading->sink)(*static_cast<const hf_event*>(data));
  return --reading->left == 0 ? kEnough : 0;
}

CgroupHooks::CgroupHooks(EventSink sink)
    : sink_(std::move(sink)), reading_(std::make_unique<Reading>(&sink_, kMostAtOnce)) {}

CgroupHooks::~CgroupHooks() {
  ring_buffer__free(ring_);
  cgroup_bpf::destroy(skeleton_);
}

Result<std::unique_ptr<CgroupHooks>> CgroupHooks::load(EventSink sink) {
  std::unique_ptr<CgroupHooks> hooks(new CgroupHooks(std::move(sink)));
  if (auto done = hooks->load_programs(); !done) return std::move(done).error();
  return hooks;
}

// What this kernel has no use for is neither loaded nor pinned.
Result<void> CgroupHooks::open_object() {
  skeleton_ = cgroup_bpf::open();
  if (skeleton_ == nullptr) return kernel::system_error("open BPF object", "cgroup");
  const bool labels = kernel::has_socket_attributes();
  skeleton_->rodata->kernel_labels = labels;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const std::string_view name = bpf_program__name(program);
    if (name.starts_with("label_")) bpf_program__set_autoload(program, labels);
  }
  return {};
}

Result<void> CgroupHooks::load_programs() {
  if (auto opened = open_object(); !opened) return opened;
  if (const int code = cgroup_bpf::load(skeleton_); code != 0)
    return bpf_error(code, "load BPF object", "cgroup");
  return open_ring();
}

Result<void> CgroupHooks::open_ring() {
  ring_ = ring_buffer__new(map_fd("cgroup_events"), on_event, reading_.get(), nullptr);
  if (ring_ == nullptr) return kernel::system_error("open event ring", "cgroup");
  meters_.use(map_fd("cgroup_meters"), map_fd("meter_slots"));
  return {};
}

int CgroupHooks::map_fd(std::string_view name) const {
  if (const auto pin = pins_.find(std::string(kMapPrefix).append(name)); pin != pins_.end())
    return pin->second.get();
  return bpf_object__find_map_fd_by_name(skeleton_->obj, std::string(name).c_str());
}

Result<void> CgroupHooks::insert(const CgroupPaths& paths) {
  const int names_fd = map_fd("cgroup_names");
  const int globs_fd = map_fd("cgroup_globs");
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
  const int names_fd = map_fd("cgroup_names");
  const int globs_fd = map_fd("cgroup_globs");
  for (const auto& name : paths.names) bpf_map_delete_elem(names_fd, &name.key);
  for (const auto& glob : paths.globs) bpf_map_delete_elem(globs_fd, &glob.key);
}

MarkMaps CgroupHooks::mark_maps() const {
  return {map_fd("mark_names"), map_fd("mark_ids"), map_fd("marked_cgroups"),
          map_fd("mark_learner")};
}

Result<void> CgroupHooks::publish(const hf_tables& tables, CgroupPaths paths,
                                  std::vector<MarkEntry> marks,
                                  const std::vector<std::string>& profiles) {
  const std::uint32_t zero = 0;
  const Fd inner(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_tables", sizeof(zero), sizeof(tables), 1, nullptr));
  if (!inner) return bpf_error(inner.get(), "make table map");
  if (const int code = bpf_map_update_elem(inner.get(), &zero, &tables, BPF_ANY); code != 0)
    return bpf_error(code, "fill table map");
  // From here on nobody, with whatever descriptor, changes what it says.
  if (bpf_map_freeze(inner.get()) != 0) return kernel::system_error("freeze table map");
  const auto take_back = [&] {
    erase(paths);
    lsm::erase(mark_maps(), marks);
    meters_.erase(tables.generation, profiles.size());
  };
  auto inserted = insert(paths);
  if (inserted) inserted = lsm::insert(mark_maps(), marks);
  if (inserted) inserted = meters_.insert(tables.generation, profiles);
  if (!inserted) {
    take_back();
    return inserted;
  }
  // Looked at before the tables: on before they are live, off only after.
  auto& globals = globals_of(skeleton_, adopted_totals_);
  const std::atomic_ref<__u32> ruled(globals.namespace_rules);
  const std::atomic_ref<__u32> marked(globals.mark_rules);
  const bool rules_namespaces = restricts_namespaces(tables);
  if (rules_namespaces) ruled.store(1);
  if (!marks.empty()) marked.store(1);
  const int inner_fd = inner.get();
  // The store. It returns after every program that saw the old map has ended
  // (maybe_wait_bpf_programs() in kernel/bpf/syscall.c), so the old entries can go.
  const int code = bpf_map_update_elem(map_fd("cgroup_tables"), &zero, &inner_fd, BPF_ANY);
  if (code != 0) {
    take_back();
    return bpf_error(code, "make policy live");
  }
  if (!rules_namespaces) ruled.store(0);
  if (marks.empty()) marked.store(0);
  erase(std::exchange(live_, std::move(paths)));
  lsm::erase(mark_maps(), std::exchange(live_marks_, std::move(marks)));
  meters_.erase(std::exchange(live_number_, tables.generation),
                std::exchange(live_profiles_, profiles.size()));
  // What was adopted is not known one by one.
  if (std::exchange(adopted_live_, false)) return sweep(tables.generation);
  return {};
}

// The capture last: it decides, and finds moved tasks only once the others are there. Destroying
// the skeleton detaches it first, for it comes first in the object.
Result<void> CgroupHooks::attach() {
  auto& links = skeleton_->links;
  const auto& programs = skeleton_->progs;
  const std::pair<bpf_link**, bpf_program*> in_order[] = {
      {&links.label_will_be_set, programs.label_will_be_set},
      {&links.label_was_set, programs.label_was_set},
      {&links.label_was_removed, programs.label_was_removed},
      {&links.cgroup_removed, programs.cgroup_removed},
      {&links.cgroup_set_xattr, programs.cgroup_set_xattr},
      {&links.cgroup_remove_xattr, programs.cgroup_remove_xattr},
      {&links.cgroup_forget, programs.cgroup_forget},
      {&links.cgroup_clone, programs.cgroup_clone},
      {&links.cgroup_named, programs.cgroup_named},
      {&links.cgroup_enforce, programs.cgroup_enforce},
      {&links.cgroup_release, programs.cgroup_release},
      {&links.cgroup_capture, programs.cgroup_capture},
      {&links.machine_capable, programs.machine_capable},
      {&links.machine_clone, programs.machine_clone},
      {&links.machine_userns, programs.machine_userns},
      {&links.machine_trace, programs.machine_trace},
      {&links.machine_traceme, programs.machine_traceme},
      {&links.mark_task_end, programs.mark_task_end},
      {&links.mark_unmount, programs.mark_unmount},
      {&links.mark_unlink, programs.mark_unlink},
      {&links.mark_rename, programs.mark_rename},
      {&links.mark_set_xattr, programs.mark_set_xattr},
      {&links.mark_remove_xattr, programs.mark_remove_xattr},
      {&links.mark_get_xattr, programs.mark_get_xattr},
      {&links.mark_trace, programs.mark_trace},
      {&links.mark_fork, programs.mark_fork},
      {&links.mark_prepare_exec, programs.mark_prepare_exec},
      {&links.mark_exec, programs.mark_exec},
  };
  for (const auto& [link, program] : in_order) {
    if (!bpf_program__autoload(program)) continue;
    *link = bpf_program__attach(program);
    if (*link == nullptr)
      return kernel::system_error("attach BPF program", bpf_program__name(program));
  }
  return {};
}

std::uint64_t CgroupHooks::digest() {
  std::size_t bytes = 0;
  const void* data = cgroup_bpf::elf_bytes(&bytes);
  return digest_of({static_cast<const char*>(data), bytes});
}

Result<std::unique_ptr<CgroupHooks>> CgroupHooks::adopt(const std::string& directory,
                                                        EventSink sink) {
  std::unique_ptr<CgroupHooks> hooks(new CgroupHooks(std::move(sink)));
  if (auto done = hooks->open_pins(directory); !done) return std::move(done).error();
  return hooks;
}

Result<void> CgroupHooks::open_pins(const std::string& directory) {
  if (auto opened = open_object(); !opened) return opened;
  const auto open = [&](const std::string& name) -> Result<int> {
    auto fd = kernel::open_pinned(directory + "/" + name);
    if (!fd) return std::move(fd).error();
    return pins_.emplace(name, *std::move(fd)).first->second.get();
  };
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    const std::string name = pin_name(kMapPrefix, bpf_map__name(map));
    const auto fd = open(name);
    if (!fd) return fd.error();
    if (auto checked = check_map(map, directory + "/" + name, *fd); !checked) return checked;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (!bpf_program__autoload(program)) continue;
    const std::string name = pin_name(kLinkPrefix, bpf_program__name(program));
    const auto fd = open(name);
    if (!fd) return fd.error();
    if (auto checked = check_link(program, directory + "/" + name, *fd); !checked) return checked;
  }
  auto mapped = kernel::MappedValue::map(
      pins_.at(pin_name(kMapPrefix, bpf_map__name(skeleton_->maps.bss))).get(),
      bpf_map__value_size(skeleton_->maps.bss));
  if (!mapped) return std::move(mapped).error();
  adopted_totals_ = std::make_unique<kernel::MappedValue>(*std::move(mapped));
  adopted_live_ = true;
  return open_ring();
}

Result<void> CgroupHooks::pin(const std::string& directory) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    const std::string name = pin_name(kMapPrefix, bpf_map__name(map));
    if (auto pinned = kernel::pin_bpf(bpf_map__fd(map), directory + "/" + name); !pinned)
      return pinned;
  }
  const auto* table = skeleton_->skeleton;
  for (int i = 0; i < table->prog_cnt; i++) {
    const bpf_prog_skeleton& entry = table->progs[i];
    const std::string name = pin_name(kLinkPrefix, entry.name);
    if (!bpf_program__autoload(*entry.prog)) continue;
    if (*entry.link == nullptr) return Error{EINVAL, "pin", name, "it is not attached"};
    if (auto pinned = kernel::pin_bpf(bpf_link__fd(*entry.link), directory + "/" + name); !pinned)
      return pinned;
  }
  return {};
}

Result<Fd> CgroupHooks::open_label_store(const std::string& directory) {
  auto store = kernel::open_pinned(directory + "/" + pin_name(kMapPrefix, "label_store"));
  if (!store && store.error().code == ENOENT) return Fd();
  if (!store) return store;
  const auto shape = kernel::map_shape(store->get());
  if (shape && shape->type == BPF_MAP_TYPE_INODE_STORAGE &&
      shape->value_bytes == sizeof(hf_label_store))
    return store;
  return Fd();
}

Result<void> CgroupHooks::remove(const std::string& directory) {
  const std::string decider = directory + "/" + kDecider;
  const std::uint32_t id = program_id(decider);
  const std::vector<std::uint32_t> programs = program_ids(directory);
  if (auto detached = MachineGuard::detach_sysctl(directory); !detached) return detached;
  // From here on the directory is one that was never completed, whatever happens to this process.
  for (const std::string& pin : {directory + "/layout", decider})
    if (auto removed = kernel::remove_pin(pin); !removed) return removed;
  if (id != 0)
    if (auto ended = kernel::wait_for_program_end(id); !ended) return ended;
  if (auto removed = kernel::remove_pin_directory(directory); !removed) return removed;
  // What is not refused any more is true when this returns.
  for (const std::uint32_t program : programs)
    if (auto ended = kernel::wait_for_program_end(program); !ended) return ended;
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

Result<void> CgroupHooks::sweep(std::uint64_t generation) const {
  // The generation comes first in each key.
  const auto sweep_map = [&](int fd, std::size_t key_bytes) {
    std::vector<std::byte> key(key_bytes), next(key_bytes);
    std::vector<std::vector<std::byte>> old;
    const void* from = nullptr;
    while (bpf_map_get_next_key(fd, from, next.data()) == 0) {
      std::uint64_t of = 0;
      std::memcpy(&of, next.data(), sizeof(of));
      if (of != generation) old.push_back(next);
      key = next;
      from = key.data();
    }
    for (const auto& entry : old) bpf_map_delete_elem(fd, entry.data());
  };
  sweep_map(map_fd("cgroup_names"), sizeof(hf_path_key));
  sweep_map(map_fd("cgroup_globs"), sizeof(hf_glob_key));
  sweep_map(map_fd("mark_names"), sizeof(hf_mark_key));
  sweep_map(map_fd("mark_ids"), sizeof(hf_mark_id_key));
  sweep_map(map_fd("meter_slots"), sizeof(hf_meter_key));
  return {};
}

Result<void> CgroupHooks::learn_delegations(const std::string& cgroup_root) {
  const std::uint8_t delegated = 1;
  return record_cgroups(map_fd("cgroup_delegated"), &delegated, cgroup_root, "trusted.delegate",
                        "1");
}

Result<void> CgroupHooks::learn_marks(const std::string& cgroup_root) {
  return lsm::learn_marks(mark_maps(), cgroup_root, live_marks_);
}

LabelMaps CgroupHooks::label_maps() const {
  return {map_fd("machine_labels"), map_fd("label_store"), map_fd("label_key")};
}

int CgroupHooks::poll_fd() const { return ring_buffer__epoll_fd(ring_); }

Result<void> CgroupHooks::dispatch() {
  reading_->left = kMostAtOnce;
  const int code = ring_buffer__consume(ring_);
  if (code < 0 && code != kEnough) return bpf_error(code, "read events");
  return {};
}

void CgroupHooks::discount_denied(std::uint64_t count) {
  std::atomic_ref<__u64>(globals_of(skeleton_, adopted_totals_).cgroup_totals.denied)
      .fetch_sub(count, std::memory_order_relaxed);
  meters_.forget_canary();
}

void CgroupHooks::report(hf_event event, const std::string& profile) {
  auto& totals = globals_of(skeleton_, adopted_totals_).cgroup_totals;
  const auto add = [](auto& counter) {
    return std::atomic_ref(counter).fetch_add(1, std::memory_order_relaxed) + 1;
  };
  const hf_verdict& verdict = event.verdict;
  const bool refused = verdict.action == HF_DENY;
  const bool audited = refused && verdict.mode == HF_MODE_AUDIT;
  add(!refused ? totals.allowed : audited ? totals.audited : totals.denied);
  meters_.count(profile, event.request.hook,
                !refused  ? HF_METER_ALLOW
                : audited ? HF_METER_AUDIT
                          : HF_METER_DENY);
  if (verdict.reason == HF_REASON_FACTS_MISSING) add(totals.errors);
  if (!verdict.log) return;
  event.id = add(totals.events);
  sink_(event);
}

Result<std::vector<Fill>> CgroupHooks::fills() const {
  constexpr const char* kHashes[] = {
      "cgroup_names", "cgroup_globs", "cgroup_clones",  "mark_names",       "marked_files",
      "marked_tasks", "mark_ids",     "marked_cgroups", "cgroup_delegated", "meter_slots"};
  std::vector<Fill> fills;
  for (const char* name : kHashes) {
    const int fd = map_fd(name);
    const auto used = kernel::map_used(fd);
    const auto shape = kernel::map_shape(fd);
    if (!used) return wrap(used.error(), name);
    if (!shape) return wrap(shape.error(), name);
    fills.push_back({name, FillUnit::entries, *used, shape->max_entries});
  }
  const ring* events = ring_buffer__ring(ring_, 0);
  fills.push_back(
      {"cgroup_events", FillUnit::bytes, ring__avail_data_size(events), ring__size(events)});
  return fills;
}

Totals CgroupHooks::totals() const {
  const auto& from = globals_of(skeleton_, adopted_totals_).cgroup_totals;
  Totals totals;
  totals.allowed = read_counter(from.allowed);
  totals.denied = read_counter(from.denied);
  totals.audited = read_counter(from.audited);
  totals.errors = read_counter(from.errors);
  totals.lost = read_counter(from.lost);
  return totals;
}

std::uint64_t CgroupHooks::unasked() const {
  return read_counter(globals_of(skeleton_, adopted_totals_).cgroup_totals.unasked);
}

}  // namespace holdfast::backend::lsm
