// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/instance.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <vector>

#include "backend/lsm/machine/machine_programs.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/bpf_stats.h"
#include "kernel/bpf/prototype.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

constexpr char kLayoutPin[] = "/layout";

Error foreign(const std::string& path, std::string why) {
  return Error{EPROTO, "adopt", path, std::move(why)};
}

// Newest first. Errors: EPROTO for a name that is no number.
Result<std::vector<std::uint32_t>> numbers_in(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(pin_directory));
  std::vector<std::uint32_t> numbers;
  for (const std::string& name : names) {
    std::uint32_t number = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed != std::errc() || end != name.data() + name.size() || number == 0)
      return foreign(pin_directory + "/" + name, "holdfastd did not put this here");
    numbers.push_back(number);
  }
  std::sort(numbers.rbegin(), numbers.rend());
  return numbers;
}

Result<hf_layout> read_layout(int fd, const std::string& path) {
  const kernel::MapShape wanted = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(hf_layout), 1};
  const auto shape = kernel::map_shape(fd);
  if (!shape || *shape != wanted) return foreign(path, "not a description of holdfastd's pins");
  hf_layout layout = {};
  const __u32 zero = 0;
  if (bpf_map_lookup_elem(fd, &zero, &layout) != 0) return kernel::system_error("read map", path);
  if (layout.magic != HF_LAYOUT_MAGIC)
    return foreign(path, "not a description of holdfastd's pins");
  if (layout.version != HF_LAYOUT_VERSION || layout.abi_version != HF_ABI_VERSION)
    return foreign(path, "made by holdfastd " + std::string(layout.build) +
                             ", whose layout this version does not know; it stays in force. "
                             "holdfastd --stop-enforcing ends it");
  return layout;
}

}  // namespace

std::string instance_path(const std::string& pin_directory, std::uint32_t number) {
  return pin_directory + "/" + std::to_string(number);
}

Result<Fd> lock_instances(const std::string& pin_directory) {
  auto lock = kernel::lock_directory(pin_directory);
  if (!lock && lock.error().code == EWOULDBLOCK)
    return Error{EBUSY, "lock", pin_directory, "another holdfastd is running"};
  return lock;
}

Result<std::optional<Instance>> newest_instance(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto numbers, numbers_in(pin_directory));
  for (const std::uint32_t number : numbers) {
    const std::string directory = instance_path(pin_directory, number);
    const std::string path = directory + kLayoutPin;
    const auto pin = kernel::open_pinned(path);
    if (!pin && pin.error().code != ENOENT) return pin.error();
    if (!pin) {
      // Sealed, it stays: the one before it was sealed, and this one refuses more, not less.
      auto removed = MachinePrograms::remove(directory);
      if (!removed && removed.error().code != EPERM) return removed.error();
      continue;
    }
    HF_TRY_ASSIGN(const auto layout, read_layout(pin->get(), path));
    return std::optional(Instance{number, layout});
  }
  return std::optional<Instance>();
}

Result<std::uint32_t> newest_complete(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto numbers, numbers_in(pin_directory));
  for (const std::uint32_t number : numbers)
    if (kernel::inode_number(instance_path(pin_directory, number) + kLayoutPin)) return number;
  return std::uint32_t{0};
}

Result<void> complete_instance(const std::string& directory, std::uint64_t object) {
  hf_layout layout = {};
  layout.magic = HF_LAYOUT_MAGIC;
  layout.version = HF_LAYOUT_VERSION;
  layout.abi_version = HF_ABI_VERSION;
  layout.object = object;
  std::strncpy(layout.build, HOLDFAST_VERSION, sizeof(layout.build) - 1);
  const Fd map(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_layout", sizeof(__u32), sizeof(layout), 1, nullptr));
  if (!map) return kernel::system_error("create BPF map", "layout");
  const __u32 zero = 0;
  if (bpf_map_update_elem(map.get(), &zero, &layout, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "layout");
  return kernel::pin_bpf(map.get(), directory + kLayoutPin);
}

std::vector<ProgramStats> program_runs(const std::string& directory) {
  const auto names =
      directory.empty() ? std::vector<std::string>() : kernel::directory_entries(directory);
  std::map<std::string, ProgramStats> found;
  bool counted = kernel::program_stats_enabled();
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    const auto pin = kernel::open_pinned(directory + "/" + name);
    const auto runs = pin ? kernel::program_runs(pin->get()) : pin.error();
    if (!runs) continue;  // a map, or not one of ours
    // The kernel shortens names, so two may be one. Which variant it is does not matter.
    const std::string program(kernel::name_without_variant(runs->name));
    ProgramStats& sum = found[program];
    sum.program = program;
    sum.count += runs->runs;
    sum.ns += runs->run_ns;
    counted = counted || runs->runs > 0;
  }
  std::vector<ProgramStats> all;
  if (!counted) return all;
  for (auto& [name, runs] : found) all.push_back(std::move(runs));
  return all;
}

Result<void> remove_instances_but(const std::string& pin_directory, std::uint32_t number) {
  HF_TRY_ASSIGN(const auto numbers, numbers_in(pin_directory));
  for (const std::uint32_t other : numbers) {
    if (other == number) continue;
    HF_TRY(MachinePrograms::remove(instance_path(pin_directory, other)));
  }
  return {};
}

}  // namespace holdfast::backend::lsm
