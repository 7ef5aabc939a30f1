// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine_guard.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/lsm/instance.h"
#include "base/digest.h"
#include "bpf/machine_guard.skel.h"
#include "kernel/btf.h"
#include "kernel/process.h"
#include "kernel/system_error.h"
#include "kernel/whole_file.h"

namespace holdfast::backend::lsm {

namespace {

// Pins of an instance's directory.
constexpr char kState[] = "/guard_map_state";
constexpr char kEvents[] = "/guard_map_events";
constexpr char kIds[] = "/guard_map_ids";
constexpr char kSysctl[] = "/guard_program_sysctl";
constexpr char kSeal[] = "/guard_program_seal";
constexpr char kProtect[] = "/guard_program_protect";
constexpr char kLink[] = "/guard_link_";

std::uint64_t guarded_kind(kernel::BpfKind kind) {
  switch (kind) {
    case kernel::BpfKind::program:
      return HF_GUARDED_PROGRAM;
    case kernel::BpfKind::map:
      return HF_GUARDED_MAP;
    default:
      return HF_GUARDED_LINK;
  }
}

Result<void> guard_id(int ids_fd, std::uint64_t kind, std::uint32_t id) {
  const std::uint64_t key = kind << 32 | id;
  const std::uint8_t one = 1;
  if (bpf_map_update_elem(ids_fd, &key, &one, BPF_ANY) != 0)
    return kernel::system_error("guard", std::to_string(id));
  return {};
}

std::string above(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Those that are about files; the others guard pins and the daemon.
constexpr std::string_view kOfFiles[] = {
    "guard_file_open",    "guard_setattr",    "guard_setxattr",   "guard_removexattr",
    "guard_set_acl",      "guard_remove_acl", "guard_file_ioctl", "guard_file_ioctl_compat",
    "guard_file_setattr", "guard_mount",      "guard_move_mount", "guard_pivotroot"};

// Not every kernel has a hook for each: where it has none, another one is asked.
bool is_wanted(const bpf_program* program, GuardFiles files, const kernel::KernelTypes& types) {
  const bool of_files =
      std::ranges::find(kOfFiles, bpf_program__name(program)) != std::end(kOfFiles);
  if (!of_files) return true;
  const std::string_view section = bpf_program__section_name(program);
  return files == GuardFiles::yes &&
         types.has_function("bpf_lsm_" + std::string(section.substr(section.find('/') + 1)));
}

Result<Fd> copy_of(int fd) {
  if (fd < 0) return Error{ENOENT, "find BPF map or program", "machine_guard", {}};
  return kernel::duplicate(fd);
}

}  // namespace

MachineGuard::~MachineGuard() {
  if (pinned_ || !sysctl_ || !object_) return;
  if (auto gone = kernel::detach_sysctl_program(sysctl_.get()); !gone) return;
}

Result<void> MachineGuard::use(int state_fd, int events_fd) {
  auto state = kernel::MappedValue::map(state_fd, sizeof(hf_guard_state));
  if (!state) return std::move(state).error();
  state_ = std::make_unique<kernel::MappedValue>(*std::move(state));
  auto ring = kernel::BpfRing::create(events_fd, [this](std::span<const std::byte> bytes) {
    if (bytes.size() != sizeof(hf_guard_event)) return;
    std::memcpy(&events_.emplace_back(), bytes.data(), sizeof(hf_guard_event));
  });
  if (!ring) return std::move(ring).error();
  ring_ = *std::move(ring);
  return {};
}

std::uint64_t MachineGuard::digest() {
  std::size_t bytes = 0;
  const void* data = machine_guard_bpf::elf_bytes(&bytes);
  return digest_of({static_cast<const char*>(data), bytes});
}

Result<std::unique_ptr<MachineGuard>> MachineGuard::attach(GuardFiles files) {
  std::unique_ptr<MachineGuard> guard(new MachineGuard());
  std::size_t bytes = 0;
  const void* data = machine_guard_bpf::elf_bytes(&bytes);
  auto object =
      kernel::BpfObject::open({static_cast<const std::byte*>(data), bytes}, "machine_guard");
  if (!object) return std::move(object).error();
  const auto types = kernel::KernelTypes::load();
  if (!types) return types.error();
  object->keep_programs(
      [&](const bpf_program* program) { return is_wanted(program, files, *types); });
  if (auto loaded = object->load(); !loaded) return loaded.error();
  guard->object_ = *std::move(object);
  const kernel::BpfObject& o = *guard->object_;
  if (auto used = guard->use(o.map_fd("guard_state"), o.map_fd("guard_events")); !used)
    return used.error();
  const std::pair<Fd*, int> copies[] = {{&guard->ids_, o.map_fd("guard_ids")},
                                        {&guard->sysctl_, o.program_fd("guard_sysctl")},
                                        {&guard->seal_, o.program_fd("guard_seal")},
                                        {&guard->protect_, o.program_fd("guard_protect")}};
  for (const auto& [to, from] : copies) {
    auto copy = copy_of(from);
    if (!copy) return copy.error();
    *to = *std::move(copy);
  }
  // Claimed before it is attached: then this process is never a stranger to it.
  const auto self = kernel::open_for_reading("/proc/self/exe");
  if (!self) return self.error();
  guard->state().claim_fd = static_cast<__u32>(self->get());
  if (auto claimed = kernel::run_bpf_program(o.program_fd("guard_claim"), "guard_claim"); !claimed)
    return claimed.error();
  if (auto attached = o.attach(guard->links_); !attached) return attached.error();
  if (auto attached = kernel::attach_sysctl_program(guard->sysctl_.get()); !attached)
    return attached.error();
  return guard;
}

bool MachineGuard::is_in(const std::string& directory) {
  return static_cast<bool>(kernel::inode_number(directory + kState));
}

Result<std::unique_ptr<MachineGuard>> MachineGuard::adopt(const std::string& directory) {
  std::unique_ptr<MachineGuard> guard(new MachineGuard());
  auto state = kernel::open_pinned(directory + kState);
  if (!state && state.error().code == EPERM)
    return Error{EPERM, "adopt", directory, "the guard in force knows another file as holdfastd's"};
  if (!state) return state.error();
  auto events = kernel::open_pinned(directory + kEvents);
  if (!events) return events.error();
  if (auto used = guard->use(state->get(), events->get()); !used) return used.error();
  const std::pair<Fd*, const char*> pins[] = {{&guard->ids_, kIds},
                                              {&guard->sysctl_, kSysctl},
                                              {&guard->seal_, kSeal},
                                              {&guard->protect_, kProtect}};
  for (const auto& [to, name] : pins) {
    auto pin = kernel::open_pinned(directory + name);
    // One of an earlier build, to be unsealed or ended.
    if (!pin && pin.error().code == ENOENT && name == kProtect) continue;
    if (!pin) return pin.error();
    *to = *std::move(pin);
  }
  const auto names = kernel::names_in(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.starts_with(kLink + 1)) continue;
    auto pin = kernel::open_pinned(directory + "/" + name);
    if (!pin) return pin.error();
    guard->pins_.push_back(*std::move(pin));
  }
  guard->pins_.push_back(*std::move(state));
  guard->pins_.push_back(*std::move(events));
  guard->pinned_ = true;
  return guard;
}

Result<void> MachineGuard::pin(const std::string& directory) {
  const std::pair<const char*, int> pins[] = {{kState, object_->map_fd("guard_state")},
                                              {kEvents, object_->map_fd("guard_events")},
                                              {kIds, ids_.get()},
                                              {kSysctl, sysctl_.get()},
                                              {kSeal, seal_.get()},
                                              {kProtect, protect_.get()}};
  for (const auto& [name, fd] : pins)
    if (auto pinned = kernel::pin_bpf(fd, directory + name); !pinned) return pinned;
  for (std::size_t i = 0; i < links_.size(); i++)
    if (auto pinned =
            kernel::pin_bpf(bpf_link__fd(links_[i].get()), directory + kLink + std::to_string(i));
        !pinned)
      return pinned;
  pinned_ = true;
  // In no pin: whoever could write the one would be the daemon, or the other, guard nothing.
  for (const char* name : {"guard_marked", "guard_dirs"}) {
    const auto map = kernel::bpf_id(object_->map_fd(name));
    if (!map) return map.error();
    if (auto done = guard_id(ids_.get(), HF_GUARDED_MAP, map->id); !done) return done;
  }
  return {};
}

Result<void> MachineGuard::protect(const std::string& directory) const {
  const auto names = kernel::names_in(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const auto pin = kernel::open_pinned(directory + "/" + name);
    if (!pin) return pin.error();
    const auto id = kernel::bpf_id(pin->get());
    if (!id) return id.error();
    if (auto done = guard_id(ids_.get(), guarded_kind(id->kind), id->id); !done) return done;
    if (id->kind != kernel::BpfKind::link) continue;
    if (auto done = guard_id(ids_.get(), HF_GUARDED_PROGRAM, id->program); !done) return done;
  }
  const std::pair<std::string, std::uint32_t> directories[] = {
      {directory, HF_GUARDED_WHOLE},
      {above(directory), HF_GUARDED_WHOLE},
      {above(above(directory)), HF_GUARDED_ITSELF}};
  for (const auto& [path, how] : directories)
    if (auto done = protect_directory(path, how, HF_GUARD_PIN); !done) return done;
  return {};
}

Result<void> MachineGuard::protect_directory(const std::string& path, std::uint32_t how,
                                             std::uint32_t what) const {
  const auto directory = kernel::open_for_reading(path);
  if (!directory) return directory.error();
  state().claim_fd = static_cast<__u32>(directory->get());
  state().claim = {how, what, 0};
  if (auto done = kernel::run_bpf_program(protect_.get(), "guard_protect"); !done)
    return wrap(std::move(done).error(), path);
  return {};
}

Result<void> MachineGuard::protect_files(const std::vector<std::string>& directories) const {
  for (const std::string& directory : directories) {
    for (std::string path = above(directory); !path.empty(); path = above(path))
      if (auto done = protect_directory(path, HF_GUARDED_ITSELF, HF_GUARD_FILES); !done)
        return done;
    const auto below = kernel::directories_below(directory);
    if (!below) return below.error();
    for (const std::string& path : *below)
      if (auto done = protect_directory(path, HF_GUARDED_WHOLE, HF_GUARD_FILES); !done) return done;
  }
  return {};
}

Result<void> MachineGuard::detach_sysctl(const std::string& directory) {
  const auto program = kernel::open_pinned(directory + kSysctl);
  if (!program) return program.error().code == ENOENT ? Result<void>() : program.error();
  return kernel::detach_sysctl_program(program->get());
}

Result<void> MachineGuard::seal(const std::string& secret) {
  if (secret.size() >= sizeof(hf_guard_state::secret)) return Error{E2BIG, "seal", "", ""};
  const auto self = kernel::open_for_reading("/proc/self/exe");
  if (!self) return self.error();
  std::strncpy(state().secret, secret.c_str(), sizeof(hf_guard_state::secret) - 1);
  state().claim_fd = static_cast<__u32>(self->get());
  return kernel::run_bpf_program(seal_.get(), "guard_seal");
}

void MachineGuard::unseal() {
  std::memset(state().secret, 0, sizeof(hf_guard_state::secret));
  std::atomic_ref<__u32>(state().sealed).store(0);
}

bool MachineGuard::sealed() const { return std::atomic_ref<__u32>(state().sealed).load() != 0; }
std::string MachineGuard::secret() const { return state().secret; }

std::vector<std::uint64_t> MachineGuard::refused() const {
  std::vector<std::uint64_t> counts;
  for (__u64& count : state().refused) counts.push_back(std::atomic_ref<__u64>(count).load());
  return counts;
}

std::uint64_t MachineGuard::lost() const { return std::atomic_ref<__u64>(state().lost).load(); }

int MachineGuard::poll_fd() const { return ring_->poll_fd(); }

Result<std::vector<hf_guard_event>> MachineGuard::take() {
  if (auto read = ring_->consume(); !read) return read.error();
  return std::exchange(events_, {});
}

}  // namespace holdfast::backend::lsm
