// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/machine_guard.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "backend/lsm/machine/instance.h"
#include "base/digest.h"
#include "bpf/machine_guard.skel.h"
#include "kernel/bpf/btf.h"
#include "kernel/files/atomic_file.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

// Pins of an instance's directory.
constexpr char kState[] = "/guard_map_state";
constexpr char kEvents[] = "/guard_map_events";
constexpr char kIds[] = "/guard_map_ids";
constexpr char kSysctl[] = "/guard_program_sysctl";
constexpr char kSeal[] = "/guard_program_seal";
constexpr char kProtect[] = "/guard_program_protect";
constexpr char kServe[] = "/guard_program_serve";
constexpr char kLink[] = "/guard_link_";
// Programs that sealing attaches, and their links then.
constexpr char kForSeal[] = "/guard_for_seal_";
constexpr char kSealLink[] = "/guard_link_seal_";
// Of the object that decides (machine_programs.cc): the map that names the live policy.
constexpr char kLivePolicy[] = "/map_cgroup_tables";

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

Result<void> guard_id(int ids_fd, std::uint64_t kind, std::uint32_t id,
                      std::uint8_t who = HF_FOR_DAEMON) {
  const std::uint64_t key = kind << 32 | id;
  if (bpf_map_update_elem(ids_fd, &key, &who, BPF_ANY) != 0)
    return kernel::system_error("guard", std::to_string(id));
  return {};
}

std::string above(const std::string& path) { return path.substr(0, path.rfind('/')); }

// While it is sealed, no process gets what only ending enforcement needs, and which policy is live
// can be read only.
std::uint8_t who_gets(std::string_view pin) {
  if (pin == kSysctl) return HF_SHUT_SEALED;
  return pin == kLivePolicy ? HF_READ_SEALED : HF_FOR_DAEMON;
}

Error claim_refused(std::uint32_t why, const std::string& path, Error error) {
  switch (why) {
    case HF_CLAIM_SEALED:
      return Error{EPERM, "seal", "", "it is sealed already"};
    case HF_CLAIM_FULL:
      return Error{ENOSPC, "guard", path, "too many directories, or on too many mounts"};
    case HF_CLAIM_WRITERS:
      return Error{ETXTBSY, "guard", path, "a process has it open for writing"};
    case HF_CLAIM_ELSEWHERE:
      return Error{ESTALE, "guard", path, "another file than the one that runs"};
    case HF_CLAIM_FILESYSTEM:
      return Error{ENOTSUP, "guard", path,
                   "on a filesystem whose files can be changed elsewhere (an overlay, a network)"};
    default:
      return wrap(std::move(error), path);
  }
}

// Those that are about files; the others guard pins and the daemon.
constexpr std::string_view kOfFiles[] = {
    "guard_file_open",    "guard_setattr",    "guard_setxattr",   "guard_removexattr",
    "guard_set_acl",      "guard_remove_acl", "guard_file_ioctl", "guard_file_ioctl_compat",
    "guard_file_setattr", "guard_mount",      "guard_move_mount", "guard_pivotroot"};

// Not every kernel has a hook for each: where it has none, another one is asked.
bool is_of_files(const bpf_program* program) {
  return std::ranges::find(kOfFiles, bpf_program__name(program)) != std::end(kOfFiles);
}
bool is_wanted(const bpf_program* program, const kernel::KernelTypes& types) {
  if (!is_of_files(program)) return true;
  const std::string_view section = bpf_program__section_name(program);
  return types.has_function("bpf_lsm_" + std::string(section.substr(section.find('/') + 1)));
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
  HF_TRY_ASSIGN(auto state, kernel::MappedValue::map(state_fd, sizeof(hf_guard_state)));
  state_ = std::make_unique<kernel::MappedValue>(std::move(state));
  const auto keep = [this](std::span<const std::byte> bytes) {
    if (bytes.size() != sizeof(hf_guard_event)) return;
    std::memcpy(&events_.emplace_back(), bytes.data(), sizeof(hf_guard_event));
  };
  HF_TRY_ASSIGN(ring_, kernel::BpfRing::create(events_fd, keep));
  return {};
}

std::uint64_t MachineGuard::digest() {
  std::size_t bytes = 0;
  const void* data = machine_guard_bpf::elf_bytes(&bytes);
  return digest_of({static_cast<const char*>(data), bytes});
}

Result<std::unique_ptr<MachineGuard>> MachineGuard::attach(GuardFiles files, int session_tasks_fd) {
  std::unique_ptr<MachineGuard> guard(new MachineGuard());
  std::size_t bytes = 0;
  const void* data = machine_guard_bpf::elf_bytes(&bytes);
  HF_TRY_ASSIGN(auto object, kernel::BpfObject::open({static_cast<const std::byte*>(data), bytes},
                                                     "machine_guard"));
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  std::vector<std::string> for_seal;
  object.select_programs([&](const bpf_program* program) { return is_wanted(program, types); });
  object.leave_unattached([&](const bpf_program* program) {
    if (files == GuardFiles::yes || !is_of_files(program) || !is_wanted(program, types))
      return false;
    for_seal.emplace_back(bpf_program__name(program));
    return true;
  });
  HF_TRY(object.make_maps_unprintable());
  HF_TRY(object.reuse_map("session_tasks", session_tasks_fd));
  HF_TRY(object.load(types));
  guard->object_ = std::move(object);
  guard->for_seal_ = std::move(for_seal);
  const kernel::BpfObject& o = *guard->object_;
  HF_TRY(guard->use(o.map_fd("guard_state"), o.map_fd("guard_events")));
  const std::pair<Fd*, int> copies[] = {{&guard->ids_, o.map_fd("guard_ids")},
                                        {&guard->sysctl_, o.program_fd("guard_sysctl")},
                                        {&guard->seal_, o.program_fd("guard_seal")},
                                        {&guard->serve_, o.program_fd("guard_serve")},
                                        {&guard->protect_, o.program_fd("guard_protect")}};
  for (const auto& [to, from] : copies) {
    HF_TRY_ASSIGN(*to, copy_of(from));
  }
  // Claimed before it is attached: then this process is never a stranger to it.
  HF_TRY(kernel::run_bpf_program(o.program_fd("guard_claim"), "guard_claim"));
  HF_TRY(o.attach(guard->links_));
  HF_TRY(kernel::attach_sysctl_program(guard->sysctl_.get()));
  return guard;
}

bool MachineGuard::is_in(const std::string& directory) {
  return static_cast<bool>(kernel::inode_number(directory + kState));
}

Result<std::unique_ptr<MachineGuard>> MachineGuard::adopt(const std::string& directory) {
  std::unique_ptr<MachineGuard> guard(new MachineGuard());
  guard->directory_ = directory;
  auto state = kernel::open_pinned(directory + kState);
  if (!state && state.error().code == EPERM)
    return Error{EPERM, "adopt", directory, "the guard in force knows another file as holdfastd's"};
  if (!state) return state.error();
  HF_TRY_ASSIGN(auto events, kernel::open_pinned(directory + kEvents));
  HF_TRY(guard->use(state->get(), events.get()));
  const std::pair<Fd*, const char*> pins[] = {{&guard->ids_, kIds},
                                              {&guard->seal_, kSeal},
                                              {&guard->protect_, kProtect},
                                              {&guard->serve_, kServe}};
  for (const auto& [to, name] : pins) {
    auto pin = kernel::open_pinned(directory + name);
    // One of an earlier build, to be unsealed or ended.
    if (!pin && pin.error().code == ENOENT && (name == kProtect || name == kServe)) continue;
    if (!pin) return pin.error();
    *to = *std::move(pin);
  }
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(directory));
  for (const std::string& name : names) {
    if (!name.starts_with(kLink + 1)) continue;
    HF_TRY_ASSIGN(auto pin, kernel::open_pinned(directory + "/" + name));
    guard->pins_.push_back(std::move(pin));
  }
  guard->pins_.push_back(*std::move(state));
  guard->pins_.push_back(std::move(events));
  guard->pinned_ = true;
  return guard;
}

Result<void> MachineGuard::pin(const std::string& directory) {
  const std::pair<const char*, int> pins[] = {{kState, object_->map_fd("guard_state")},
                                              {kEvents, object_->map_fd("guard_events")},
                                              {kIds, ids_.get()},
                                              {kSysctl, sysctl_.get()},
                                              {kSeal, seal_.get()},
                                              {kServe, serve_.get()},
                                              {kProtect, protect_.get()}};
  for (const auto& [name, fd] : pins) HF_TRY(kernel::pin_bpf(fd, directory + name));
  for (const std::string& name : for_seal_)
    HF_TRY(kernel::pin_bpf(object_->program_fd(name.c_str()), directory + kForSeal + name));
  for (std::size_t i = 0; i < links_.size(); i++)
    HF_TRY(kernel::pin_bpf(bpf_link__fd(links_[i].get()), directory + kLink + std::to_string(i)));
  pinned_ = true;
  // These two have no pin. A process that writes to them could become the daemon, or end the guard.
  for (const char* name : {"guard_marked", "guard_dirs"}) {
    HF_TRY_ASSIGN(const auto map, kernel::bpf_id(object_->map_fd(name)));
    HF_TRY(guard_id(ids_.get(), HF_GUARDED_MAP, map.id));
  }
  return {};
}

Result<void> MachineGuard::protect(const std::string& directory) const {
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(directory));
  for (const std::string& name : names) {
    HF_TRY_ASSIGN(const auto pin, kernel::open_pinned(directory + "/" + name));
    HF_TRY_ASSIGN(const auto id, kernel::bpf_id(pin.get()));
    HF_TRY(guard_id(ids_.get(), guarded_kind(id.kind), id.id, who_gets("/" + name)));
    if (id.kind != kernel::BpfKind::link) continue;
    HF_TRY(guard_id(ids_.get(), HF_GUARDED_PROGRAM, id.program));
  }
  const std::pair<std::string, std::uint32_t> directories[] = {
      {directory, HF_GUARDED_WHOLE},
      {above(directory), HF_GUARDED_WHOLE},
      {above(above(directory)), HF_GUARDED_ITSELF}};
  for (const auto& [path, how] : directories) HF_TRY(protect_directory(path, how, HF_GUARD_PIN));
  return {};
}

Result<void> MachineGuard::protect_directory(const std::string& path, std::uint32_t how,
                                             std::uint32_t what) const {
  HF_TRY_ASSIGN(const auto directory, kernel::open_for_reading(path));
  return claim(path, directory.get(), how, what, Until::ended);
}

Result<void> MachineGuard::claim(const std::string& path, int fd, std::uint32_t how,
                                 std::uint32_t what, Until until) const {
  state().claim_fd = static_cast<__u32>(fd);
  state().claim = {how, what, 0};
  state().claim_seal = until == Until::unsealed ? 1 : 0;
  state().claim_refusal = 0;
  auto done = kernel::run_bpf_program(protect_.get(), "guard_protect");
  return done ? done : claim_refused(state().claim_refusal, path, std::move(done).error());
}

Result<void> MachineGuard::protect_above(const std::string& path, Until until) const {
  for (std::string at = above(path); !at.empty(); at = above(at)) {
    HF_TRY_ASSIGN(const auto place, kernel::open_path(at, kernel::FinalLink::follow));
    HF_TRY(claim(at, place.get(), HF_GUARDED_ITSELF, HF_GUARD_FILES, until));
  }
  return {};
}

Result<void> MachineGuard::protect_files(const std::vector<GuardedDirectory>& directories) const {
  // What was guarded when it was sealed still is, and there is nothing else to be.
  if (sealed()) return {};
  for (const GuardedDirectory& guarded : directories) {
    HF_TRY(protect_above(guarded.path, Until::ended));
    HF_TRY_ASSIGN(const auto below, kernel::directories_below(guarded.path));
    const auto how =
        guarded.of == GuardedDirectory::Of::state ? HF_GUARDED_STATE : HF_GUARDED_WHOLE;
    for (const std::string& path : below) HF_TRY(protect_directory(path, how, HF_GUARD_FILES));
  }
  return {};
}

Result<void> MachineGuard::serve() const {
  if (!serve_) return {};  // of an earlier build, which does not know who serves
  return kernel::run_bpf_program(serve_.get(), "guard_serve");
}

Result<void> MachineGuard::detach_sysctl(const std::string& directory) {
  const auto program = kernel::open_pinned(directory + kSysctl);
  if (!program) return program.error().code == ENOENT ? Result<void>() : program.error();
  return kernel::detach_sysctl_program(program->get());
}

// Attaches the programs about files, unless they are attached. They cost each task something.
Result<void> MachineGuard::attach_for_seal() const {
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(directory_));
  const std::string_view prefix = kForSeal + 1;
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    const std::string pin = directory_ + kSealLink + name.substr(prefix.size());
    if (kernel::inode_number(pin)) continue;  // of a sealing that failed
    HF_TRY_ASSIGN(const auto program, kernel::open_pinned(directory_ + "/" + name));
    const Fd link(bpf_link_create(program.get(), 0, BPF_LSM_MAC, nullptr));
    if (!link) return kernel::system_error("attach BPF program", name);
    HF_TRY(kernel::pin_bpf(link.get(), pin));
    HF_TRY_ASSIGN(const auto id, kernel::bpf_id(link.get()));
    HF_TRY(guard_id(ids_.get(), HF_GUARDED_LINK, id.id));
  }
  return {};
}

// Not its own path and what it leads to: the kernel says which file it is.
Result<void> MachineGuard::protect_sealed(const SealedFiles& files) const {
  std::ranges::fill(std::span(state().mounts).subspan(HF_GUARDED_MOUNTS), 0);
  for (const std::string& path : files.files) {
    for (const auto link : {kernel::FinalLink::keep, kernel::FinalLink::follow}) {
      const auto file = kernel::open_path(path, link);
      if (!file && file.error().code == ENOENT) continue;  // a link to nothing
      if (!file) return file.error();
      HF_TRY(claim(path, file->get(), HF_GUARDED_WHOLE, HF_GUARD_FILES, Until::unsealed));
    }
    HF_TRY(protect_above(path, Until::unsealed));
  }
  for (const std::string& path : files.places) {
    HF_TRY_ASSIGN(const auto place, kernel::open_path(path, kernel::FinalLink::follow));
    HF_TRY(claim(path, place.get(), HF_GUARDED_NAMES, HF_GUARD_FILES, Until::unsealed));
    HF_TRY(protect_above(path, Until::unsealed));
  }
  return {};
}

Result<void> MachineGuard::seal(const std::string& secret, const SealedFiles& files) {
  if (secret.size() >= sizeof(hf_guard_state::secret)) return Error{E2BIG, "seal", "", ""};
  // Two that seal at once would mix what they write.
  HF_TRY_ASSIGN(const auto lock, kernel::lock_directory(directory_));
  if (sealed()) return Error{EPERM, "seal", "", "it is sealed already"};
  if (!protect_ || !serve_)
    return Error{ENOTSUP, "seal", "", "what is in force is of another build"};
  HF_TRY(attach_for_seal());
  HF_TRY(protect_sealed(files));
  std::memset(state().secret, 0, sizeof(hf_guard_state::secret));
  std::strncpy(state().secret, secret.c_str(), sizeof(hf_guard_state::secret) - 1);
  state().claim_refusal = 0;
  auto done = kernel::run_bpf_program(seal_.get(), "guard_seal");
  if (done) return {};
  return claim_refused(state().claim_refusal, files.files.empty() ? "" : files.files.front(),
                       std::move(done).error());
}

Result<void> MachineGuard::unseal() {
  std::memset(state().secret, 0, sizeof(hf_guard_state::secret));
  std::atomic_ref<__u32>(state().sealed).store(0);
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(directory_));
  for (const std::string& name : names)
    if (name.starts_with(kSealLink + 1)) HF_TRY(kernel::remove_pin(directory_ + "/" + name));
  return {};
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
  HF_TRY(ring_->consume());
  return std::exchange(events_, {});
}

}  // namespace holdfast::backend::lsm
