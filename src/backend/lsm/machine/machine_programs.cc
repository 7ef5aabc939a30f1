// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/machine_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

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

#include "backend/lsm/machine/instance.h"
#include "backend/lsm/machine/machine_globals.h"
#include "backend/lsm/machine/machine_guard.h"
#include "backend/lsm/selection.h"
#include "base/digest.h"
#include "base/fd.h"
#include "core/map_room.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/bpf_stats.h"
#include "kernel/bpf/btf.h"
#include "kernel/proc/sysctl.h"
#include "kernel/process/process.h"
#include "kernel/random.h"
#include "kernel/sockets/sockets.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

struct MachinePrograms::Reading {
  Reading(EventSink* to, unsigned most) : sink(to), left(most) {}
  EventSink* sink;
  unsigned left;
  std::vector<hf_guard_event> refusals;
};

namespace {

// libbpf returns a negative errno.
Error bpf_error(int code, std::string operation, std::string object = {}) {
  return Error{-code, std::move(operation), std::move(object), {}};
}

// Whoever makes events as fast as they are read must not keep the reader from all else.
constexpr unsigned kMaxAtOnce = 4096;
constexpr int kEnough = -4096;  // no errno

constexpr std::string_view kMapPrefix = "map_";
constexpr std::string_view kLinkPrefix = "link_";
constexpr char kLivePolicy[] = "cgroup_tables";
constexpr char kLabelFeeder[] = "label_was_set";
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

// An entry for each task: with as many as the kernel makes, nobody can fill them. What was made
// under another kernel.threads-max is taken as it is.
constexpr std::string_view kByTask[] = {"task_walks", "cgroup_clones", "marked_tasks",
                                        "peer_calls"};

bool is_by_task(std::string_view map) {
  return std::ranges::find(kByTask, map) != std::end(kByTask);
}

Result<void> check_map(const bpf_map* map, const std::string& path, int fd) {
  const auto found = kernel::map_shape(fd);
  if (!found) return not_ours(path, "not a map");
  kernel::MapShape wanted = {static_cast<std::uint32_t>(bpf_map__type(map)), bpf_map__key_size(map),
                             bpf_map__value_size(map), bpf_map__max_entries(map)};
  if (is_by_task(bpf_map__name(map)) && found->max_entries >= HF_TASK_ROOM_LEAST)
    wanted.max_entries = found->max_entries;
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
  const auto names = kernel::directory_entries(directory);
  for (const std::string& name : names ? *names : std::vector<std::string>())
    if (const std::uint32_t id = program_id(directory + "/" + name); id != 0) ids.push_back(id);
  return ids;
}

KernelLabels kernel_labels() {
  return kernel::has_socket_attributes() ? KernelLabels::yes : KernelLabels::no;
}

// Of a program that a kernel may have no use for: the function that it is attached to.
std::string optional_function(const bpf_program* program) {
  const std::string_view name = bpf_program__name(program);
  if (name == "machine_pages") return std::string(kPageSender);
  if (!name.starts_with(kHelperPrograms)) return {};
  return helper_function(bpf_program__section_name(program));
}

}  // namespace

int MachinePrograms::on_event(void* context, void* data, std::size_t size) {
  auto* reading = static_cast<Reading*>(context);
  if (size == sizeof(hf_event)) (*reading->sink)(*static_cast<const hf_event*>(data));
  if (size == sizeof(hf_guard_event))
    reading->refusals.push_back(*static_cast<const hf_guard_event*>(data));
  return --reading->left == 0 ? kEnough : 0;
}

MachinePrograms::MachinePrograms(EventSink sink)
    : sink_(std::move(sink)), reading_(std::make_unique<Reading>(&sink_, kMaxAtOnce)) {}

MachinePrograms::~MachinePrograms() {
  ring_buffer__free(ring_);
  machine_bpf::destroy(skeleton_);
}

Result<std::unique_ptr<MachinePrograms>> MachinePrograms::load(EventSink sink) {
  std::unique_ptr<MachinePrograms> hooks(new MachinePrograms(std::move(sink)));
  HF_TRY(hooks->load_programs());
  return hooks;
}

// What this kernel has no use for is neither loaded nor pinned.
Result<void> MachinePrograms::open_object(KernelLabels kernel_labels) {
  const bool labels = kernel_labels == KernelLabels::yes;
  skeleton_ = machine_bpf::open();
  if (skeleton_ == nullptr) return kernel::system_error("open BPF object", "cgroup");
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  skeleton_->rodata->kernel_labels = labels;
  HF_TRY_ASSIGN(const auto tasks, kernel::max_tasks());
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) if (is_by_task(bpf_map__name(map)))
      bpf_map__set_max_entries(map, hf_task_room(tasks));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const std::string_view name = bpf_program__name(program);
    if (name.starts_with("label_") || name == "mark_was_removed")
      bpf_program__set_autoload(program, labels);
    const std::string function = optional_function(program);
    const bool useless = name == "machine_pages" && labels;
    if (!function.empty())
      bpf_program__set_autoload(program, !useless && types.has_function(function));
  }
  return {};
}

Result<void> MachinePrograms::load_programs() {
  HF_TRY(open_object(kernel_labels()));
  HF_TRY(kernel::make_maps_unprintable(skeleton_->obj));
  if (const int code = machine_bpf::load(skeleton_); code != 0)
    return bpf_error(code, "load BPF object", "cgroup");
  return open_ring();
}

Result<void> MachinePrograms::open_ring() {
  ring_ = ring_buffer__new(map_fd("cgroup_events"), on_event, reading_.get(), nullptr);
  if (ring_ == nullptr) return kernel::system_error("open event ring", "cgroup");
  stats_.use(map_fd("profile_counters"), map_fd("profile_slots"));
  return {};
}

Result<Fd> MachinePrograms::open_live_policy() const {
  if (directory_.empty()) return kernel::duplicate(map_fd(kLivePolicy));
  return kernel::open_pinned(directory_ + "/" + pin_name(kMapPrefix, kLivePolicy));
}

int MachinePrograms::map_fd(std::string_view name) const {
  if (const auto pin = pins_.find(std::string(kMapPrefix).append(name)); pin != pins_.end())
    return pin->second.get();
  return bpf_object__find_map_fd_by_name(skeleton_->obj, std::string(name).c_str());
}

// The capture last: it decides, and finds moved tasks only once the others are there. Destroying
// the skeleton detaches it first, for it comes first in the object.
Result<void> MachinePrograms::attach() {
  auto& links = skeleton_->links;
  const auto& programs = skeleton_->progs;
  const std::pair<bpf_link**, bpf_program*> in_order[] = {
      {&links.label_will_be_set, programs.label_will_be_set},
      {&links.label_was_set, programs.label_was_set},
      {&links.label_was_removed, programs.label_was_removed},
      {&links.label_will_be_removed, programs.label_will_be_removed},
      {&links.machine_cgroup_removed, programs.machine_cgroup_removed},
      {&links.machine_socket_end, programs.machine_socket_end},
      {&links.machine_meet, programs.machine_meet},
      {&links.machine_meet_datagram, programs.machine_meet_datagram},
      {&links.machine_bind, programs.machine_bind},
      {&links.machine_connect, programs.machine_connect},
      {&links.machine_listen, programs.machine_listen},
      {&links.machine_accept, programs.machine_accept},
      {&links.machine_send, programs.machine_send},
      {&links.machine_fastopen, programs.machine_fastopen},
      {&links.machine_pages, programs.machine_pages},
      {&links.machine_sctp, programs.machine_sctp},
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
      {&links.hf_helper_fork, programs.hf_helper_fork},
      {&links.hf_helper_asked_1, programs.hf_helper_asked_1},
      {&links.hf_helper_asked_2, programs.hf_helper_asked_2},
      {&links.hf_helper_asked_3, programs.hf_helper_asked_3},
      {&links.hf_helper_asked_4, programs.hf_helper_asked_4},
      {&links.hf_helper_option, programs.hf_helper_option},
      {&links.hf_helper_key, programs.hf_helper_key},
      {&links.hf_helper_module, programs.hf_helper_module},
      {&links.mark_task_end, programs.mark_task_end},
      {&links.mark_unmount, programs.mark_unmount},
      {&links.machine_task_exit, programs.machine_task_exit},
      {&links.mark_file_gone, programs.mark_file_gone},
      {&links.mark_set_xattr, programs.mark_set_xattr},
      {&links.mark_was_removed, programs.mark_was_removed},
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

std::uint64_t MachinePrograms::digest() {
  std::size_t bytes = 0;
  const void* data = machine_bpf::elf_bytes(&bytes);
  return digest_of({static_cast<const char*>(data), bytes});
}

Result<std::unique_ptr<MachinePrograms>> MachinePrograms::adopt(const std::string& directory,
                                                                EventSink sink) {
  std::unique_ptr<MachinePrograms> hooks(new MachinePrograms(std::move(sink)));
  hooks->directory_ = directory;
  HF_TRY(hooks->open_pins(directory));
  return hooks;
}

Result<void> MachinePrograms::open_pins(const std::string& directory) {
  // Rules that are in force may keep this process from labelling a socket, which is how one asks.
  const bool fed = static_cast<bool>(
      kernel::inode_number(directory + "/" + pin_name(kLinkPrefix, kLabelFeeder)));
  HF_TRY(open_object(fed ? KernelLabels::yes : kernel_labels()));
  const auto open = [&](const std::string& name) -> Result<int> {
    // Sealed, the one that names the live policy can only be read; publish() asks for more.
    const std::string pin = directory + "/" + name;
    HF_TRY_ASSIGN(auto fd, name == pin_name(kMapPrefix, kLivePolicy)
                               ? kernel::open_pinned_for_reading(pin)
                               : kernel::open_pinned(pin));
    return pins_.emplace(name, std::move(fd)).first->second.get();
  };
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    const std::string name = pin_name(kMapPrefix, bpf_map__name(map));
    HF_TRY_ASSIGN(const auto fd, open(name));
    HF_TRY(check_map(map, directory + "/" + name, fd));
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (!bpf_program__autoload(program)) continue;
    const std::string name = pin_name(kLinkPrefix, bpf_program__name(program));
    HF_TRY_ASSIGN(const auto fd, open(name));
    HF_TRY(check_link(program, directory + "/" + name, fd));
  }
  HF_TRY_ASSIGN(auto mapped,
                kernel::MappedValue::map(
                    pins_.at(pin_name(kMapPrefix, bpf_map__name(skeleton_->maps.bss))).get(),
                    bpf_map__value_size(skeleton_->maps.bss)));
  adopted_totals_ = std::make_unique<kernel::MappedValue>(std::move(mapped));
  return open_ring();
}

Result<void> MachinePrograms::pin(const std::string& directory) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    const std::string name = pin_name(kMapPrefix, bpf_map__name(map));
    HF_TRY(kernel::pin_bpf(bpf_map__fd(map), directory + "/" + name));
  }
  const auto* table = skeleton_->skeleton;
  for (int i = 0; i < table->prog_cnt; i++) {
    const bpf_prog_skeleton& entry = table->progs[i];
    const std::string name = pin_name(kLinkPrefix, entry.name);
    if (!bpf_program__autoload(*entry.prog)) continue;
    if (*entry.link == nullptr) return Error{EINVAL, "pin", name, "it is not attached"};
    HF_TRY(kernel::pin_bpf(bpf_link__fd(*entry.link), directory + "/" + name));
  }
  return {};
}

Result<Fd> MachinePrograms::open_label_store(const std::string& directory) {
  auto store = kernel::open_pinned(directory + "/" + pin_name(kMapPrefix, "label_store"));
  if (!store && store.error().code == ENOENT) return Fd();
  if (!store) return store;
  const auto shape = kernel::map_shape(store->get());
  if (shape && shape->type == BPF_MAP_TYPE_INODE_STORAGE &&
      shape->value_bytes == sizeof(hf_label_store))
    return store;
  return Fd();
}

Result<void> MachinePrograms::remove(const std::string& directory) {
  const std::string decider = directory + "/" + kDecider;
  const std::uint32_t id = program_id(decider);
  const std::vector<std::uint32_t> programs = program_ids(directory);
  HF_TRY(MachineGuard::detach_sysctl(directory));
  // From here on the directory is one that was never completed, whatever happens to this process.
  for (const std::string& pin : {directory + "/layout", decider}) HF_TRY(kernel::remove_pin(pin));
  if (id != 0) HF_TRY(kernel::wait_for_program_end(id));
  HF_TRY(kernel::remove_pin_directory(directory));
  // What is not refused any more is true when this returns.
  for (const std::uint32_t program : programs) HF_TRY(kernel::wait_for_program_end(program));
  return {};
}

Result<void> MachinePrograms::learn_delegations(const std::string& cgroup_root) {
  const std::uint8_t delegated = 1;
  return record_cgroups(map_fd("cgroup_delegated"), &delegated, cgroup_root, "trusted.delegate",
                        "1");
}

LabelMaps MachinePrograms::label_maps() const {
  return {skeleton_->rodata->kernel_labels != 0, map_fd("machine_labels"), map_fd("label_store"),
          map_fd("label_key")};
}

int MachinePrograms::poll_fd() const { return ring_buffer__epoll_fd(ring_); }

Result<void> MachinePrograms::dispatch() {
  reading_->left = kMaxAtOnce;
  const int code = ring_buffer__consume(ring_);
  if (code < 0 && code != kEnough) return bpf_error(code, "read events");
  return {};
}

bool MachinePrograms::drained() const { return reading_->left > 0; }

void MachinePrograms::discount_denied(std::uint64_t count) {
  std::atomic_ref<__u64>(
      globals_of(skeleton_, adopted_totals_.get()).cgroup_totals.decisions.denied)
      .fetch_sub(count, std::memory_order_relaxed);
  stats_.forget_self_test();
}

void MachinePrograms::report(hf_event event, const std::string& profile) {
  auto& totals = globals_of(skeleton_, adopted_totals_.get()).cgroup_totals;
  const hf_verdict& verdict = event.verdict;
  hf_count_decision(&totals.decisions, &verdict);
  stats_.count(profile, event.request.op, hf_outcome(&verdict));
  if (!verdict.log) return;
  event.id = next_event_id();
  sink_(event);
}

std::uint64_t MachinePrograms::next_event_id() {
  auto& totals = globals_of(skeleton_, adopted_totals_.get()).cgroup_totals;
  return std::atomic_ref(totals.events).fetch_add(1, std::memory_order_relaxed) + 1;
}

std::vector<hf_guard_event> MachinePrograms::take_guard_events() {
  return std::exchange(reading_->refusals, {});
}

std::uint64_t MachinePrograms::refused_helpers() const {
  return read_counter(globals_of(skeleton_, adopted_totals_.get()).helper_totals.refused);
}

// The nonce last: until then nothing is answered.
Result<std::uint64_t> MachinePrograms::begin_probe(kernel::CgroupId cgroup) {
  std::uint64_t nonce = 0;
  HF_TRY(kernel::fill_random(&nonce, sizeof(nonce)));
  nonce |= 1;  // 0 is none
  auto& probe = globals_of(skeleton_, adopted_totals_.get()).cgroup_probe;
  std::atomic_ref(probe.cgroup).store(cgroup);
  std::atomic_ref(probe.tgid).store(static_cast<__u32>(getpid()));
  std::atomic_ref(probe.nonce).store(nonce);
  return nonce;
}

bool MachinePrograms::end_probe(std::uint64_t probe) {
  auto& shared = globals_of(skeleton_, adopted_totals_.get()).cgroup_probe;
  std::atomic_ref(shared.nonce).store(0);
  return std::atomic_ref(shared.answered).load() == probe;
}

bool MachinePrograms::labels_were_lost() const {
  return read_counter(globals_of(skeleton_, adopted_totals_.get()).labels_lost) != 0;
}

void MachinePrograms::forget_lost_labels() {
  std::atomic_ref<__u64>(globals_of(skeleton_, adopted_totals_.get()).labels_lost).store(0);
}

Result<std::vector<MapUsage>> MachinePrograms::map_usage() const {
  constexpr const char* kHashes[] = {
      "cgroup_names", "cgroup_globs",    "cgroup_clones",  "mark_names",       "marked_files",
      "marked_tasks", "mark_ids",        "marked_cgroups", "cgroup_delegated", "profile_slots",
      "label_ids",    "socket_profiles", "socket_rates",   "machine_buckets",  "peer_calls"};
  std::vector<MapUsage> map_usage;
  for (const char* name : kHashes) {
    const int fd = map_fd(name);
    HF_TRY_ASSIGN(const auto used, wrap(kernel::count_map_entries(fd), name));
    HF_TRY_ASSIGN(const auto shape, wrap(kernel::map_shape(fd), name));
    map_usage.push_back({name, UsageUnit::entries, used, shape.max_entries});
  }
  const ring* events = ring_buffer__ring(ring_, 0);
  map_usage.push_back(
      {"cgroup_events", UsageUnit::bytes, ring__avail_data_size(events), ring__size(events)});
  return map_usage;
}

Totals MachinePrograms::totals() const {
  const auto& from = globals_of(skeleton_, adopted_totals_.get()).cgroup_totals;
  Totals totals(hf_read_counters(&from.decisions));
  totals.lost = read_counter(from.lost);
  return totals;
}

std::uint64_t MachinePrograms::faults() const {
  const auto& from = globals_of(skeleton_, adopted_totals_.get()).cgroup_totals;
  return read_counter(from.unasked) + read_counter(from.unrecorded);
}

// How a policy becomes what the programs decide by, and how an old one goes.
namespace {

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

MarkMaps MachinePrograms::mark_maps() const {
  return {map_fd("mark_names"), map_fd("mark_ids"), map_fd("marked_cgroups"),
          map_fd("mark_learner")};
}

SocketMaps MachinePrograms::socket_maps() const {
  return {map_fd("label_ids"), map_fd("socket_profiles"), map_fd("socket_rates"),
          map_fd("machine_buckets"), map_fd("bucket_uses")};
}

Result<void> MachinePrograms::insert(const LivePolicy& policy) {
  auto inserted = insert_paths(map_fd("cgroup_names"), map_fd("cgroup_globs"), policy.paths);
  if (inserted) inserted = lsm::insert(mark_maps(), policy.marks);
  if (inserted) inserted = lsm::insert(socket_maps(), policy.sockets);
  if (inserted) inserted = stats_.insert(policy.tables->generation, policy.profiles);
  return inserted;
}

// Takes back what was put beside the live policy.
void MachinePrograms::keep_live_alone() const {
  if (const auto live = live_generation()) sweep(*live);
}

Result<void> MachinePrograms::publish(LivePolicy policy) {
  const std::uint32_t zero = 0;
  const std::uint64_t generation = policy.tables->generation;
  HF_TRY_ASSIGN(const auto outer, open_live_policy());
  HF_TRY_ASSIGN(const auto inner, frozen_tables(*policy.tables));
  if (auto inserted = insert(policy); !inserted) {
    keep_live_alone();
    return inserted;
  }
  Switches switches(globals_of(skeleton_, adopted_totals_.get()), policy);
  switches.on();
  const int inner_fd = inner.get();
  // The store. It returns after every program that saw the old map has ended
  // (maybe_wait_bpf_programs() in kernel/bpf/syscall.c), so the old entries can go.
  if (const int code = bpf_map_update_elem(outer.get(), &zero, &inner_fd, BPF_ANY); code != 0) {
    keep_live_alone();
    return bpf_error(code, "make policy live");
  }
  switches.off();
  sweep(generation);
  drop_other_buckets(socket_maps(), policy.sockets);
  live_marks_ = std::move(policy.marks);
  return {};
}

Result<std::uint64_t> MachinePrograms::live_generation() const {
  HF_TRY_ASSIGN(const auto inner, kernel::inner_map(map_fd("cgroup_tables")));
  const auto tables = std::make_unique<hf_tables>();
  const std::uint32_t zero = 0;
  if (const int code = bpf_map_lookup_elem(inner.get(), &zero, tables.get()); code != 0)
    return bpf_error(code, "read live policy");
  if (tables->magic != HF_TABLES_MAGIC || tables->version != HF_ABI_VERSION)
    return Error{EPROTO, "adopt", "cgroup_tables", "the live policy is of another version"};
  return tables->generation;
}

void MachinePrograms::sweep(std::uint64_t live) const {
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
  sweep_map(map_fd("profile_slots"), sizeof(hf_profile_counters_key));
  const SocketMaps sockets = socket_maps();
  sweep_map(sockets.ids, sizeof(hf_label_id_key));
  sweep_map(sockets.profiles, sizeof(hf_policy_key));
  sweep_map(sockets.rates, sizeof(hf_policy_key));
}

// What was said once is not said again.
Warn MachinePrograms::once(const Warn& warn) {
  return [this, warn](const std::string& text) {
    if (warn && warned_.insert(text).second) warn(text);
  };
}

Result<void> MachinePrograms::learn_marked_cgroups(const std::string& cgroup_root,
                                                   const std::vector<MarkEntry>& marks,
                                                   const Warn& warn) {
  return record_marked_cgroups(map_fd("marked_cgroups"), cgroup_root, marks, once(warn));
}

Result<void> MachinePrograms::learn_marks(const std::string& cgroup_root, const Warn& warn) {
  auto learned = lsm::learn_marks(mark_maps(), cgroup_root, live_marks_, once(warn));
  std::atomic_ref<__u32>(globals_of(skeleton_, adopted_totals_.get()).mark_epoch).fetch_add(1);
  return learned;
}

}  // namespace holdfast::backend::lsm
