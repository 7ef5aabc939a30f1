// SPDX-License-Identifier: Apache-2.0
#include "hooks/hooks_enforcer.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "bpf/hooks_cgroup.skel.h"
#include "bpf/hooks_install.skel.h"
#include "kernel/bpf/btf.h"
#include "kernel/bpf/prototype.h"

namespace holdfast::hooks {
namespace {

std::span<const std::byte> object_bytes(Hook hook) {
  std::size_t bytes = 0;
  const void* data = hook == Hook::kInstall ? hooks_install_bpf__elf_bytes(&bytes)
                                            : hooks_cgroup_bpf__elf_bytes(&bytes);
  return {static_cast<const std::byte*>(data), bytes};
}

Result<void> share(bpf_object* object, const char* map_name, int fd) {
  bpf_map* map = bpf_object__find_map_by_name(object, map_name);
  if (fd < 0 || map == nullptr) return {};
  if (const int error = bpf_map__reuse_fd(map, fd); error < 0) {
    return Error{-error, "share map", map_name, ""};
  }
  return {};
}

// The objects' only read-only variable is the id of the cgroup in scope.
Result<void> set_scope(bpf_object* object, std::uint64_t scope_id) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (!name.ends_with(".rodata")) continue;
    std::size_t bytes = 0;
    void* value = bpf_map__initial_value(map, &bytes);
    if (value == nullptr || bytes != sizeof scope_id) break;
    std::memcpy(value, &scope_id, sizeof scope_id);
    return {};
  }
  return Error{ENOENT, "set the scope", "", ""};
}

}  // namespace

Result<Enforcer> Enforcer::create(Hook hook, const Shared& shared) {
  const std::span<const std::byte> bytes = object_bytes(hook);
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.object_name = "holdfast_hooks";
  Object object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (!object) return Error{errno, "open the enforcer", std::string(hook_name(hook)), ""};
  const std::pair<const char*, int> maps[] = {
      {"verdicts", shared.verdicts_fd}, {"scope", shared.scope_fd}, {"tasks", shared.tasks_fd}};
  for (const auto& [name, fd] : maps) {
    HF_TRY(share(object.get(), name, fd));
  }
  HF_TRY(set_scope(object.get(), shared.scope_id));
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  HF_TRY(kernel::fit_programs(object.get(), types.get()));
  if (const int error = bpf_object__load(object.get()); error < 0) {
    return Error{-error, "load the enforcer", std::string(hook_name(hook)), ""};
  }
  return Enforcer(std::move(object));
}

Result<std::vector<Fd>> Enforcer::attach() {
  std::vector<Fd> links;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (!bpf_program__autoload(program)) continue;  // for other kernels
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) return Error{errno, "attach", bpf_program__name(program), ""};
    links.emplace_back(fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0));
    bpf_link__destroy(link);
    if (!links.back()) return Error{errno, "keep the link of", bpf_program__name(program), ""};
  }
  // The refusing program is last in the object file. Its link must be first, so that it is closed
  // first when the bridge is detached.
  std::reverse(links.begin(), links.end());
  return links;
}

}  // namespace holdfast::hooks
