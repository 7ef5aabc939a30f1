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
#include "backend/lsm/machine/policy_needs.h"
#include "backend/lsm/selection.h"
#include "base/digest.h"
#include "base/fd.h"
#include "core/bpf_objects.h"
#include "core/map_room.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/bpf_stats.h"
#include "kernel/bpf/btf.h"
#include "kernel/bpf/map_keys.h"
#include "kernel/bpf/prototype.h"
#include "kernel/proc/sysctl.h"
#include "kernel/process/process.h"
#include "kernel/random.h"
#include "kernel/sockets/passed_descriptors.h"
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

// A task that makes events as fast as they are read must not keep the reader from all else.
constexpr unsigned kMaxAtOnce = 4096;
constexpr int kEnough = -4096;  // no errno

constexpr std::string_view kMapPrefix = "map_";
constexpr std::string_view kLinkPrefix = "link_";
constexpr char kLivePolicy[] = "cgroup_tables";
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

// Maps with an entry for each task. They have room for as many as the kernel makes, so no task can
// fill them. A map that was made under another kernel.threads-max is taken as it is.
constexpr std::string_view kByTask[] = {"task_walks", "cgroup_clones", "marked_tasks", "peer_calls",
                                        "calls"};

bool is_by_task(std::string_view map) {
  return std::ranges::find(kByTask, map) != std::end(kByTask);
}

Result<void> check_map(const std::string& name, const kernel::MapShape& shape,
                       const std::string& path, int fd) {
  const auto found = kernel::map_shape(fd);
  if (!found) return not_ours(path, "not a map");
  kernel::MapShape wanted = shape;
  if (name == "tracked") wanted.max_entries = HF_MACHINE_TRACKED_MAX;
  if (is_by_task(name) && found->max_entries >= HF_TASK_ROOM_LEAST)
    wanted.max_entries = found->max_entries;
  if (*found == wanted) return {};
  return not_ours(path, "a map of another layout");
}

Result<void> check_link(std::string_view program, const std::string& path, int fd) {
  const auto found = kernel::link_shape(fd);
  if (!found) return not_ours(path, "not an attached program");
  // The kernel keeps 15 bytes of a program's name, and calls links of tp_btf raw tracepoints.
  const bool attached =
      found->type == BPF_LINK_TYPE_TRACING || found->type == BPF_LINK_TYPE_RAW_TRACEPOINT;
  if (attached && kernel::is_kept_name(found->program, program)) return {};
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

std::span<const std::byte> object_bytes() {
  std::size_t bytes = 0;
  const void* data = machine_bpf::elf_bytes(&bytes);
  return {static_cast<const std::byte*>(data), bytes};
}

Result<kernel::BpfObject> open_object() {
  return kernel::BpfObject::open(object_bytes(), "machine");
}

// Global data, as the skeleton names its variables.
using ReadOnlyData = std::remove_pointer_t<decltype(machine_bpf::rodata)>;
constexpr std::string_view kReadOnlyData = ".rodata";
constexpr std::string_view kGlobals = ".bss";

// Of global data by the end of its name, which begins with a part of the object's.
template <typename Map>
auto find_data(Map& maps, std::string_view end) {
  return std::ranges::find_if(maps, [end](const auto& map) { return map.first.ends_with(end); });
}

// Does this kernel have a use for the program? Only those that it has a use for are loaded.
bool is_of_use(const bpf_program* program, const kernel::KernelTypes& types, bool kernel_labels) {
  const std::string_view name = bpf_program__name(program);
  if (name.starts_with("label_") || name == "mark_was_removed") return kernel_labels;
  if (name == "machine_pages")
    return !kernel_labels && types.has_function(std::string(kPageSender));
  const std::string_view section = bpf_program__section_name(program);
  if (name == "terminal_ioctl_compat" || name == "bpf_file_ioctl_compat")
    return types.has_function(helper_function(section));
  if (!name.starts_with(kHelperPrograms)) return is_used_here(section, name, types);
  return types.has_function(helper_function(section));
}

Result<void> empty_hash(int map_fd, std::size_t key_bytes) {
  std::vector<std::byte> key(key_bytes);
  while (bpf_map_get_next_key(map_fd, nullptr, key.data()) == 0)
    if (const int code = bpf_map_delete_elem(map_fd, key.data()); code != 0 && code != -ENOENT)
      return bpf_error(code, "empty BPF map");
  return {};
}

// A new map like this one.
Result<Fd> copy_of_map(int fd, const std::string& name) {
  bpf_map_info info = {};
  __u32 bytes = sizeof(info);
  if (const int code = bpf_map_get_info_by_fd(fd, &info, &bytes); code != 0)
    return bpf_error(code, "read BPF map", name);
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = info.map_flags;
  const Fd types(info.btf_id == 0 ? -1 : bpf_btf_get_fd_by_id(info.btf_id));
  if (types) {
    options.btf_fd = static_cast<__u32>(types.get());
    options.btf_key_type_id = info.btf_key_type_id;
    options.btf_value_type_id = info.btf_value_type_id;
  }
  Fd copy(bpf_map_create(static_cast<bpf_map_type>(info.type), info.name, info.key_size,
                         info.value_size, info.max_entries, &options));
  if (!copy) return kernel::system_error("create BPF map", name);
  return copy;
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
  if (directory_.empty()) detach(kAllFamilies);
}

Result<std::unique_ptr<MachinePrograms>> MachinePrograms::create(EventSink sink) {
  std::unique_ptr<MachinePrograms> hooks(new MachinePrograms(std::move(sink)));
  HF_TRY(hooks->create_maps());
  return hooks;
}

Result<void> MachinePrograms::create_maps() {
  kernel_labels_ = kernel::has_socket_attributes();
  HF_TRY_ASSIGN(auto object, open_object());
  object.select_programs([](const bpf_program*) { return false; });
  HF_TRY_ASSIGN(const auto tasks, kernel::max_tasks());
  for (const std::string_view map : kByTask)
    HF_TRY(object.set_max_entries(std::string(map).c_str(), hf_task_room(tasks)));
  HF_TRY(object.set_max_entries("tracked", HF_MACHINE_TRACKED_MAX));
  HF_TRY(object.allocate_on_demand("tracked"));
  const std::vector<std::string> names = object.map_names();
  for (const std::string& name : names) {
    if (!name.ends_with(kReadOnlyData)) continue;
    auto* data = reinterpret_cast<ReadOnlyData*>(object.initial_value(name.c_str()).data());
    data->kernel_labels = kernel_labels_;
    data->possible_cpus = static_cast<__u32>(libbpf_num_possible_cpus());
  }
  HF_TRY(object.make_maps_unprintable());
  HF_TRY(object.load());
  for (const std::string& name : names) {
    HF_TRY_ASSIGN(maps_[name], kernel::duplicate(object.map_fd(name.c_str())));
  }
  return use_maps();
}

Result<void> MachinePrograms::use_maps() {
  const auto globals = find_data(maps_, kGlobals);
  if (globals == maps_.end()) return Error{ENOENT, "find BPF map", std::string(kGlobals), {}};
  HF_TRY_ASSIGN(auto mapped, kernel::MappedValue::map(globals->second.get(), sizeof(Globals)));
  globals_ = std::make_unique<kernel::MappedValue>(std::move(mapped));
  ring_ = ring_buffer__new(map_fd("cgroup_events"), on_event, reading_.get(), nullptr);
  if (ring_ == nullptr) return kernel::system_error("open event ring", "machine");
  stats_.use(map_fd("profile_counters"), map_fd("profile_slots"));
  return {};
}

Result<Fd> MachinePrograms::open_live_policy() const {
  if (directory_.empty()) return kernel::duplicate(map_fd(kLivePolicy));
  return kernel::open_pinned(directory_ + "/" + pin_name(kMapPrefix, kLivePolicy));
}

int MachinePrograms::map_fd(std::string_view name) const {
  const auto found = maps_.find(name);
  return found == maps_.end() ? -1 : found->second.get();
}

std::uint64_t MachinePrograms::digest() {
  const auto bytes = object_bytes();
  return digest_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// ---- families ------------------------------------------------------------------------------------

Result<void> MachinePrograms::attach(Families families) {
  const Families added = families & ~attached_;
  if (added == 0) return {};
  auto done = reset_maps(added);
  if (done) done = attach_programs(added);
  if (done) {
    attached_ |= added;
    return {};
  }
  detach(added);
  return done;
}

// The maps were filled before the last detach(). No program saw what happened since.
Result<void> MachinePrograms::reset_maps(Families families) {
  if ((families & kTracking) != 0) {
    hf_tracking& tracking = globals_of(*globals_).machine_tracking;
    std::atomic_ref(tracking.any).store(0);
    for (__u64& word : tracking.numbers) std::atomic_ref(word).store(0);
  }
  for (const FamilyMap& map : family_maps()) {
    if ((map.families & families) == 0) continue;
    HF_TRY_ASSIGN(const auto shape, kernel::map_shape(map_fd(map.name)));
    if (shape.type == BPF_MAP_TYPE_INODE_STORAGE)
      HF_TRY(replace_map(std::string(map.name)));
    else
      HF_TRY(wrap(empty_hash(map_fd(map.name), shape.key_bytes), std::string(map.name)));
  }
  return {};
}

// The entries of an inode storage cannot be listed, so the map is made anew. No attached program
// uses the old one.
Result<void> MachinePrograms::replace_map(const std::string& name) {
  HF_TRY_ASSIGN(auto fresh, copy_of_map(map_fd(name), name));
  if (!directory_.empty()) {
    const std::string pin = directory_ + "/" + pin_name(kMapPrefix, name);
    HF_TRY(kernel::remove_pin(pin));
    HF_TRY(kernel::pin_bpf(fresh.get(), pin));
  }
  maps_[name] = std::move(fresh);
  return {};
}

Result<void> MachinePrograms::attach_programs(Families families) {
  HF_TRY_ASSIGN(auto object, open_object());
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  if ((families & kTargets) != 0 && !asks_natively(types))
    HF_TRY(check_namespace_functions(types, (families & kTracking) != 0));
  if ((families & kBpf) != 0 && !types.has_function(std::string(kTokenHook)))
    return Error{ENOTSUP, "decide about bpf", {}, kNoTokens};
  std::set<std::string, std::less<>> added;
  for (const FamilyProgram& program : family_programs())
    if ((program.families & families) != 0 && !links_.contains(program.name))
      added.insert(program.name);
  object.select_programs([&](const bpf_program* program) {
    return added.contains(std::string_view(bpf_program__name(program))) &&
           is_of_use(program, types, kernel_labels_);
  });
  for (const auto& [name, fd] : maps_) HF_TRY(object.reuse_map(name.c_str(), fd.get()));
  HF_TRY(object.load(types));
  for (const FamilyProgram& program : family_programs()) {
    const std::string& name = program.name;
    const bpf_program* found = object.program(name.c_str());
    if (!added.contains(name) || found == nullptr || !bpf_program__autoload(found)) continue;
    HF_TRY_ASSIGN(const auto link, object.attach_program(name.c_str()));
    HF_TRY_ASSIGN(auto fd, kernel::duplicate(bpf_link__fd(link.get())));
    if (!directory_.empty())
      HF_TRY(kernel::pin_bpf(fd.get(), directory_ + "/" + pin_name(kLinkPrefix, name)));
    links_[name] = std::move(fd);
  }
  return {};
}

void MachinePrograms::detach(Families families) {
  attached_ &= ~families;
  const auto programs = family_programs();
  for (auto program = programs.rbegin(); program != programs.rend(); ++program) {
    if ((program->families & attached_) != 0) continue;
    const auto link = links_.find(program->name);
    if (link == links_.end()) continue;
    // After an error a program stays attached that has nothing to decide. adopt() tries again.
    if (!directory_.empty())
      if (!kernel::remove_pin(directory_ + "/" + pin_name(kLinkPrefix, program->name))) continue;
    links_.erase(link);
  }
}

void MachinePrograms::begin_to_need(const PolicyNeeds& needs) {
  std::atomic_ref(globals_of(*globals_).live_families).fetch_or(needs.families);
  switch_on(globals_of(*globals_), needs);
}

PolicyNeeds MachinePrograms::all_needs() const {
  PolicyNeeds all = needs_.value_or(PolicyNeeds());
  all.add(session_needs_);
  return all;
}

// Without needs_ the live policy was adopted, and needs all that is attached.
void MachinePrograms::detach_unneeded() {
  if (!needs_) return;
  const Families needed = all_needs().families;
  std::atomic_ref(globals_of(*globals_).live_families).store(needed);
  detach(attached_ & ~needed);
}

void MachinePrograms::need_for_sessions(const PolicyNeeds& needs) {
  begin_to_need(needs);
  session_needs_ = needs;
  if (needs_) switch_off_but(globals_of(*globals_), all_needs());
}

Result<kernel::BpfObject> MachinePrograms::load_alone(std::string_view name) const {
  HF_TRY_ASSIGN(auto object, open_object());
  object.select_programs(
      [name](const bpf_program* program) { return bpf_program__name(program) == name; });
  for (const auto& [map, fd] : maps_) HF_TRY(object.reuse_map(map.c_str(), fd.get()));
  HF_TRY(object.load());
  return object;
}

Result<void> MachinePrograms::check_pins() const {
  if (directory_.empty()) return {};
  for (const auto& [name, fd] : links_) {
    const std::string path = directory_ + "/" + pin_name(kLinkPrefix, name);
    const auto pin = kernel::open_pinned(path);
    if (!pin) return not_ours(path, "it cannot be opened: " + pin.error().message());
    HF_TRY(check_link(name, path, pin->get()));
  }
  return {};
}

// ---- pins ----------------------------------------------------------------------------------------

Result<std::unique_ptr<MachinePrograms>> MachinePrograms::adopt(const std::string& directory,
                                                                EventSink sink) {
  std::unique_ptr<MachinePrograms> hooks(new MachinePrograms(std::move(sink)));
  HF_TRY(hooks->open_pins(directory));
  return hooks;
}

Result<bool> MachinePrograms::read_kernel_labels() const {
  const auto data = find_data(maps_, kReadOnlyData);
  if (data == maps_.end()) return Error{ENOENT, "find BPF map", std::string(kReadOnlyData), {}};
  HF_TRY_ASSIGN(const auto shape, kernel::map_shape(data->second.get()));
  // The section is longer than the variables that the skeleton names.
  std::vector<std::byte> bytes(std::max<std::size_t>(shape.value_bytes, sizeof(ReadOnlyData)));
  const std::uint32_t zero = 0;
  if (const int code = bpf_map_lookup_elem(data->second.get(), &zero, bytes.data()); code != 0)
    return bpf_error(code, "read BPF map", std::string(kReadOnlyData));
  ReadOnlyData constants = {};
  std::memcpy(&constants, bytes.data(), sizeof(constants));
  return constants.kernel_labels != 0;
}

Result<void> MachinePrograms::open_pins(const std::string& directory) {
  HF_TRY_ASSIGN(const auto object, open_object());
  for (const std::string& name : object.map_names()) {
    // Sealed, the one that names the live policy can only be read; publish() asks for more.
    const std::string pin = directory + "/" + pin_name(kMapPrefix, name);
    HF_TRY_ASSIGN(auto fd, name == kLivePolicy ? kernel::open_pinned_for_reading(pin)
                                               : kernel::open_pinned(pin));
    HF_TRY(check_map(name, object.map_shape(name.c_str()), pin, fd.get()));
    maps_.emplace(name, std::move(fd));
  }
  // A test would label a socket, and rules that are in force may refuse that to this process.
  HF_TRY_ASSIGN(kernel_labels_, wrap(read_kernel_labels(), directory));
  HF_TRY(use_maps());
  return open_links(object, directory);
}

// A process that ended while it attached or detached a family may have left some of its programs.
// The live policy does not need them.
Result<void> MachinePrograms::open_links(const kernel::BpfObject& object,
                                         const std::string& directory) {
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  directory_ = directory;
  attached_ = std::atomic_ref(globals_of(*globals_).live_families).load();
  for (const FamilyProgram& program : family_programs()) {
    const std::string& name = program.name;
    if (!is_of_use(object.program(name.c_str()), types, kernel_labels_)) continue;
    const std::string path = directory + "/" + pin_name(kLinkPrefix, name);
    const bool needed = (program.families & attached_) != 0;
    auto pin = kernel::open_pinned(path);
    if (!pin && !needed && pin.error().code == ENOENT) continue;
    if (!pin) return pin.error();
    HF_TRY(check_link(name, path, pin->get()));
    links_[name] = *std::move(pin);
  }
  detach(kAllFamilies & ~attached_);
  return {};
}

Result<void> MachinePrograms::pin(const std::string& directory) {
  for (const auto& [name, fd] : maps_)
    HF_TRY(kernel::pin_bpf(fd.get(), directory + "/" + pin_name(kMapPrefix, name)));
  for (const auto& [name, fd] : links_)
    HF_TRY(kernel::pin_bpf(fd.get(), directory + "/" + pin_name(kLinkPrefix, name)));
  directory_ = directory;
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

Result<void> MachinePrograms::take_tracked(const std::string& directory) {
  const auto before = kernel::open_pinned(directory + "/" + pin_name(kMapPrefix, "tracked"));
  if (!before) return before.error().code == ENOENT ? Result<void>() : before.error();
  const auto shape = kernel::map_shape(before->get());
  if (!shape || shape->key_bytes != sizeof(__u32) || shape->value_bytes != sizeof(hf_tracked))
    return {};
  hf_tracking& tracking = globals_of(*globals_).machine_tracking;
  __u32 key = 0;
  for (kernel::MapKeys keys(before->get(), sizeof(key)); keys.next(&key);) {
    hf_tracked record = {};
    if (bpf_map_lookup_elem(before->get(), &key, &record) != 0) continue;  // freed meanwhile
    // In the order of the programs: a program that finds the bit looks for the record.
    std::atomic_ref(tracking.any).store(1);
    std::atomic_ref(tracking.numbers[key / 64 % HF_NUMBER_WORDS]).fetch_or(1ull << (key % 64));
    const int code = bpf_map_update_elem(map_fd("tracked"), &key, &record, BPF_NOEXIST);
    if (code == -EEXIST) continue;
    if (code != 0) return bpf_error(code, "take over", "tracked namespaces");
    for (const hf_owner& owner : record.of) {
      if (owner.owner == 0) break;
      __u32 uses = 0;
      if (bpf_map_lookup_elem(map_fd("tracked_uses"), &owner.set, &uses) != 0) uses = 0;
      uses++;
      if (bpf_map_update_elem(map_fd("tracked_uses"), &owner.set, &uses, BPF_ANY) != 0)
        return kernel::system_error("take over", "tracked namespaces");
    }
  }
  return {};
}

namespace {

struct NamedUsage {
  __u32 lock;  // a struct bpf_spin_lock
  __u32 pad0;
  hf_bpf_usage usage;
};

// Errors: ENOSPC there is no room.
Result<std::uint32_t> take(int program_fd, hf_bpf_take_over& request) {
  HF_TRY_ASSIGN(const auto taken,
                kernel::test_run_bpf_program(program_fd, &request, sizeof(request)));
  if (taken == HF_TAKEN || taken == HF_TAKEN_ALREADY) return taken;
  return Error{ENOSPC, "take over", "BPF objects", {}};
}

bool same_object(const hf_bpf_object& one, const hf_bpf_object& other) {
  return std::memcmp(&one, &other, sizeof(one)) == 0;
}

}  // namespace

// Objects that are made meanwhile are recorded by both instances. One may be freed between the
// two look-ups. Then the programs of this instance did not know it, and its address may be another
// object's.
Result<void> MachinePrograms::take_bpf_objects(const std::string& directory) {
  const auto open = [&](const char* map) {
    return kernel::open_pinned(directory + "/" + pin_name(kMapPrefix, map));
  };
  const auto objects = open("bpf_objects"), usages = open("bpf_usage");
  if (!objects || !usages) return {};  // a build that decides nothing about bpf
  HF_TRY_ASSIGN(const auto object_shape, kernel::map_shape(objects->get()));
  HF_TRY_ASSIGN(const auto usage_shape, kernel::map_shape(usages->get()));
  __u64 key = 0;
  kernel::MapKeys object_keys(objects->get(), sizeof(key));
  if (object_keys.done()) return {};
  if (object_shape.value_bytes != sizeof(hf_bpf_object) ||
      usage_shape.value_bytes != sizeof(NamedUsage))
    return Error{EPROTO, "take over", "BPF objects",
                 "another build of holdfastd keeps them in a way that this one does not know; it "
                 "stays in force. This one can start when their makers have ended"};
  constexpr char kTaker[] = "bpf_take_over";
  HF_TRY_ASSIGN(const auto taker, wrap(load_alone(kTaker), "load the program that takes over"));
  const int program = taker.program_fd(kTaker);
  while (object_keys.next(&key)) {
    hf_bpf_take_over request = {};
    request.what = HF_TAKE_OBJECT;
    request.key = key;
    if (bpf_map_lookup_elem(objects->get(), &key, &request.object) != 0) continue;  // freed
    HF_TRY_ASSIGN(const auto taken, take(program, request));
    hf_bpf_object now = {};
    const bool there = bpf_map_lookup_elem(objects->get(), &key, &now) == 0;
    if (taken != HF_TAKEN || (there && same_object(now, request.object))) continue;
    request.what = HF_TAKE_BACK;
    HF_TRY_ASSIGN(std::ignore, take(program, request));
    if (!there) continue;
    request.what = HF_TAKE_OBJECT;
    request.object = now;
    HF_TRY_ASSIGN(std::ignore, take(program, request));
  }
  for (kernel::MapKeys keys(usages->get(), sizeof(key)); keys.next(&key);) {
    NamedUsage was = {};
    if (bpf_map_lookup_elem(usages->get(), &key, &was) != 0) continue;
    hf_bpf_take_over request = {};
    request.what = HF_TAKE_TOTALS;
    request.key = key;
    request.usage = was.usage;
    HF_TRY_ASSIGN(std::ignore, take(program, request));
  }
  return {};
}

Result<void> MachinePrograms::remove(const std::string& directory) {
  const std::string decider = directory + "/" + kDecider;
  const std::uint32_t id = program_id(decider);
  const std::vector<std::uint32_t> programs = program_ids(directory);
  HF_TRY(MachineGuard::detach_sysctl(directory));
  // From here on the directory counts as never completed, also if this process is killed.
  for (const std::string& pin : {directory + "/layout", decider}) HF_TRY(kernel::remove_pin(pin));
  if (id != 0) HF_TRY(kernel::wait_for_program_end(id));
  HF_TRY(kernel::remove_pin_directory(directory));
  // When this returns, the kernel refuses nothing any more.
  for (const std::uint32_t program : programs) HF_TRY(kernel::wait_for_program_end(program));
  return {};
}

Result<void> MachinePrograms::learn_delegations(const std::string& cgroup_root) {
  const std::uint8_t delegated = 1;
  return record_cgroups(map_fd("cgroup_delegated"), &delegated, cgroup_root, "trusted.delegate",
                        "1");
}

// ---- events, counters and probes ----------------------------------------------------------------

LabelMaps MachinePrograms::label_maps() const {
  return {kernel_labels_, map_fd("machine_labels"), map_fd("label_store"), map_fd("label_key")};
}

int MachinePrograms::poll_fd() const { return ring_buffer__epoll_fd(ring_); }

Result<void> MachinePrograms::dispatch() {
  reading_->left = kMaxAtOnce;
  const int code = ring_buffer__consume(ring_);
  if (code < 0 && code != kEnough) return bpf_error(code, "read events");
  return {};
}

bool MachinePrograms::drained() const { return reading_->left > 0; }

void MachinePrograms::report(hf_event event, const std::string& profile) {
  auto& totals = globals_of(*globals_).cgroup_totals;
  const hf_verdict& verdict = event.verdict;
  hf_count_decision(&totals.decisions, &verdict);
  stats_.count(profile, event.request.op, hf_outcome(&verdict));
  if (!verdict.log) return;
  event.id = next_event_id();
  sink_(event);
}

std::uint64_t MachinePrograms::next_event_id() {
  auto& totals = globals_of(*globals_).cgroup_totals;
  return std::atomic_ref(totals.events).fetch_add(1, std::memory_order_relaxed) + 1;
}

std::vector<hf_guard_event> MachinePrograms::take_guard_events() {
  return std::exchange(reading_->refusals, {});
}

std::vector<std::uint64_t> MachinePrograms::refused() const {
  std::vector<std::uint64_t> counts;
  for (const __u64& count : globals_of(*globals_).machine_refused)
    counts.push_back(read_counter(count));
  return counts;
}

// The nonce is stored last: until then the programs answer nothing.
Result<std::uint64_t> MachinePrograms::begin_probe(kernel::CgroupId cgroup) {
  std::uint64_t nonce = 0;
  HF_TRY(kernel::fill_random(&nonce, sizeof(nonce)));
  nonce |= 1;  // 0 is none
  auto& probe = globals_of(*globals_).cgroup_probe;
  std::atomic_ref(probe.cgroup).store(cgroup);
  std::atomic_ref(probe.tgid).store(static_cast<__u32>(getpid()));
  std::atomic_ref(probe.nonce).store(nonce);
  return nonce;
}

bool MachinePrograms::end_probe(std::uint64_t probe) {
  auto& shared = globals_of(*globals_).cgroup_probe;
  std::atomic_ref(shared.nonce).store(0);
  return std::atomic_ref(shared.answered).load() == probe;
}

Result<void> MachinePrograms::prove_calls() const {
  auto& probe = globals_of(*globals_).call_probe;
  std::uint64_t nonce = 0;
  HF_TRY(kernel::fill_random(&nonce, sizeof(nonce)));
  nonce |= 1;  // 0 is none
  HF_TRY_ASSIGN(const auto ends, kernel::make_stream());
  HF_TRY_ASSIGN(const auto cookie, kernel::socket_cookie(ends[0].get()));
  std::atomic_ref(probe.cookie).store(cookie);
  std::atomic_ref(probe.nonce).store(nonce);
  const auto shut = kernel::try_shutdown(ends[0].get());
  std::atomic_ref(probe.nonce).store(0);
  const bool answered = std::atomic_ref(probe.answered).load() == nonce;
  if (answered && !shut && shut.error().code == EPERM) return {};
  return Error{EPERM,
               "prove enforcement",
               {},
               "the kernel attaches BPF LSM programs and does not call them; is "
               "kernel.ftrace_enabled 0?"};
}

bool MachinePrograms::labels_were_lost() const {
  return read_counter(globals_of(*globals_).labels_lost) != 0;
}

void MachinePrograms::forget_lost_labels() {
  std::atomic_ref<__u64>(globals_of(*globals_).labels_lost).store(0);
}

Result<std::vector<MapUsage>> MachinePrograms::map_usage() const {
  constexpr const char* kHashes[] = {
      "cgroup_names", "cgroup_globs",    "cgroup_clones",  "mark_names",       "marked_files",
      "marked_tasks", "mark_ids",        "marked_cgroups", "cgroup_delegated", "profile_slots",
      "label_ids",    "socket_profiles", "socket_rates",   "machine_buckets",  "peer_calls",
      "calls",        "tracked",         "tracked_uses",   "session_tasks",    "bpf_objects",
      "bpf_usage"};
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
  const auto& from = globals_of(*globals_).cgroup_totals;
  Totals totals(hf_read_counters(&from.decisions));
  totals.lost = read_counter(from.lost);
  return totals;
}

std::uint64_t MachinePrograms::faults() const {
  const auto& from = globals_of(*globals_).cgroup_totals;
  return read_counter(from.unasked) + read_counter(from.unrecorded);
}

// ---- policies -----------------------------------------------------------------------------------

namespace {

Result<void> insert_paths(int names_fd, int globs_fd, const CgroupPaths& paths) {
  for (const auto& name : paths.names)
    if (const int code = bpf_map_update_elem(names_fd, &name.key, &name.value, BPF_NOEXIST);
        code != 0)
      return bpf_error(code, "bind cgroup", name.key.name);
  for (const auto& glob : paths.globs)
    if (const int code = bpf_map_update_elem(globs_fd, &glob.key, &glob.value, BPF_NOEXIST);
        code != 0)
      return bpf_error(code, "bind cgroup pattern", glob.value.text);
  return {};
}

// Records of namespaces name a profile by an id that it has under every policy.
struct ProfileIdMaps {
  int ids = -1;
  int numbers = -1;
};

Result<void> insert_profile_ids(const ProfileIdMaps& maps, std::uint64_t generation,
                                const std::vector<std::string>& profiles) {
  for (std::uint32_t number = 1; number < profiles.size(); number++) {
    const std::uint64_t id = digest_of(profiles[number]) >> 1 | 1;
    const hf_policy_key by_number = {generation, number, 0};
    const hf_profile_id_key by_id = {generation, id};
    int code = bpf_map_update_elem(maps.ids, &by_number, &id, BPF_ANY);
    if (code == 0) code = bpf_map_update_elem(maps.numbers, &by_id, &number, BPF_NOEXIST);
    if (code != 0) return bpf_error(code, "identify profile", profiles[number]);
  }
  return {};
}

}  // namespace

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

MarkMaps MachinePrograms::mark_maps() const {
  return {map_fd("mark_names"), map_fd("mark_ids"), map_fd("marked_cgroups"),
          map_fd("mark_learner")};
}

SocketMaps MachinePrograms::socket_maps() const {
  return {map_fd("label_ids"), map_fd("socket_profiles"), map_fd("socket_rates"),
          map_fd("machine_buckets"), map_fd("bucket_uses")};
}

Result<void> MachinePrograms::bind_paths(const CgroupPaths& paths) const {
  return insert_paths(map_fd("cgroup_names"), map_fd("cgroup_globs"), paths);
}

Result<void> MachinePrograms::insert(const LivePolicy& policy) {
  auto inserted = bind_paths(policy.paths);
  if (inserted) inserted = lsm::insert(mark_maps(), policy.marks);
  if (inserted) inserted = lsm::insert(socket_maps(), policy.sockets);
  if (inserted) inserted = stats_.insert(policy.tables->generation, policy.profiles);
  if (inserted)
    inserted = insert_profile_ids({map_fd("profile_ids"), map_fd("profile_numbers")},
                                  policy.tables->generation, policy.profiles);
  return inserted;
}

// Removes the entries of every policy but the live one and those of sessions.
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
  const PolicyNeeds needs = needs_of(*policy.tables, policy.sockets, !policy.marks.empty());
  if ((needs.families & ~attached_) != 0)
    return Error{EINVAL, "make policy live", {}, "not all programs that it needs are attached"};
  begin_to_need(needs);
  const int inner_fd = inner.get();
  // The store. It returns after every program that saw the old map has ended
  // (maybe_wait_bpf_programs() in kernel/bpf/syscall.c), so the old entries can go.
  if (const int code = bpf_map_update_elem(outer.get(), &zero, &inner_fd, BPF_ANY); code != 0) {
    keep_live_alone();
    return bpf_error(code, "make policy live");
  }
  needs_ = needs;
  rates_ = rate_digests(policy.sockets);
  switch_off_but(globals_of(*globals_), all_needs());
  sweep(generation);
  drop_unused_buckets();
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
    std::vector<std::byte> key(key_bytes);
    for (kernel::MapKeys keys(fd, key_bytes); keys.next(key.data());) {
      std::uint64_t of = 0;
      std::memcpy(&of, key.data(), sizeof(of));
      if (of != live && !session_generations_.contains(of)) bpf_map_delete_elem(fd, key.data());
    }
  };
  sweep_map(map_fd("cgroup_names"), sizeof(hf_path_key));
  sweep_map(map_fd("cgroup_globs"), sizeof(hf_glob_key));
  sweep_map(map_fd("mark_names"), sizeof(hf_mark_key));
  sweep_map(map_fd("mark_ids"), sizeof(hf_mark_id_key));
  sweep_map(map_fd("profile_slots"), sizeof(hf_profile_counters_key));
  sweep_map(map_fd("profile_ids"), sizeof(hf_policy_key));
  sweep_map(map_fd("profile_numbers"), sizeof(hf_profile_id_key));
  const SocketMaps sockets = socket_maps();
  sweep_map(sockets.ids, sizeof(hf_label_id_key));
  sweep_map(sockets.profiles, sizeof(hf_policy_key));
  sweep_map(sockets.rates, sizeof(hf_policy_key));
}

void MachinePrograms::keep_generation(std::uint64_t generation) {
  session_generations_.insert(generation);
}

void MachinePrograms::drop_generation(std::uint64_t generation) {
  session_generations_.erase(generation);
  keep_live_alone();
}

void MachinePrograms::set_session_rates(std::set<std::uint64_t> digests) {
  session_rates_ = std::move(digests);
}

void MachinePrograms::drop_unused_buckets() const {
  std::set<std::uint64_t> used = rates_;
  used.insert(session_rates_.begin(), session_rates_.end());
  drop_other_buckets(socket_maps(), used);
}

// Prints each text once.
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
  std::atomic_ref<__u32>(globals_of(*globals_).mark_epoch).fetch_add(1);
  return learned;
}

}  // namespace holdfast::backend::lsm
