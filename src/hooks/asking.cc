// SPDX-License-Identifier: Apache-2.0
#include "hooks/asking.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "bpf/hooks_alloc.skel.h"
#include "bpf/lib/decision_points.h"
#include "hooks/rewrite_insn.h"
#include "kernel/bpf/btf.h"
#include "kernel/bpf/prototype.h"

namespace holdfast::hooks {
namespace {

constexpr std::uint32_t CLONE_NEWMNT = CLONE_NEWNS;  // the name that HF_NAMESPACE_POINTS uses
#define HF_TYPE_OF_POINT(proc, TYPE, install, checks, how, make, kind) CLONE_NEW##TYPE,
constexpr std::uint32_t kTypes[] = {HF_NAMESPACE_POINTS(HF_TYPE_OF_POINT)};
#undef HF_TYPE_OF_POINT

Error failed(int error, const char* what) { return Error{error, what, "namespace_alloc", ""}; }

// BPF programs cannot write to this map.
Result<void> fill(int map_fd, const NotMade& not_made) {
  std::vector<std::byte> ns(static_cast<std::size_t>(not_made.bytes) + sizeof(std::uint64_t));
  for (std::uint32_t position = 0; position < std::size(kTypes); position++) {
    std::memcpy(&ns[static_cast<std::size_t>(not_made.ns_type_offset)], &kTypes[position],
                sizeof kTypes[position]);
    if (bpf_map_update_elem(map_fd, &position, ns.data(), BPF_ANY) < 0)
      return failed(errno, "describe the namespaces of");
  }
  return {};
}

// Of a loaded program.
std::uint32_t attach_id_of(const bpf_program* program) {
  bpf_prog_info info{};
  __u32 bytes = sizeof info;
  const int error = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes);
  return error == 0 ? info.attach_btf_id : 0;
}

}  // namespace

void Asking::Destroy::operator()(hooks_alloc_bpf* skeleton) const {
  hooks_alloc_bpf__destroy(skeleton);
}

Instructions before_called(std::span<const bpf_insn> insns) {
  std::optional<std::size_t> start;
  for (std::size_t i = 0; i < insns.size(); i++) {
    if (insns[i].code != call_program().code || insns[i].src_reg != BPF_PSEUDO_CALL) continue;
    const std::size_t called = i + 1 + static_cast<std::size_t>(insns[i].imm);
    if (start && *start != called) return {};
    start = called;
  }
  if (!start || *start > insns.size()) return {};
  const auto before = insns.first(*start);
  return {before.begin(), before.end()};
}

Result<Asking> Asking::create(const NotMade& not_made, int scope_fd, bool watch_storage,
                              const Loader& load) {
  Skeleton skeleton(hooks_alloc_bpf__open());
  if (!skeleton) return failed(errno, "open what asks");
  skeleton->rodata->hf_limited = scope_fd >= 0 ? 1 : 0;
  skeleton->rodata->hf_watch_storage = watch_storage ? 1 : 0;
  const auto bytes = static_cast<__u32>(not_made.bytes + static_cast<int>(sizeof(std::uint64_t)));
  if (const int error = bpf_map__set_value_size(skeleton->maps.not_made, bytes); error < 0)
    return failed(-error, "size what asks");
  if (scope_fd >= 0) {
    if (const int error = bpf_map__reuse_fd(skeleton->maps.scope, scope_fd); error < 0)
      return failed(-error, "limit what asks");
  }
  HF_TRY_ASSIGN(const auto types, kernel::KernelTypes::load());
  HF_TRY(kernel::fit_programs(skeleton->obj, types.get()));
  if (const int error = hooks_alloc_bpf__load(skeleton.get()); error < 0)
    return failed(-error, "load what asks");
  HF_TRY(fill(bpf_map__fd(skeleton->maps.not_made), not_made));
  Asking asking(std::move(skeleton));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, asking.skeleton_->obj) {
    if (bpf_program__type(program) != BPF_PROG_TYPE_LSM) continue;
    const Instructions before =
        before_called({bpf_program__insns(program), bpf_program__insn_cnt(program)});
    if (before.empty()) return failed(EINVAL, "find the call of");
    HF_TRY_ASSIGN(Fd asker, load(before, attach_id_of(program)));
    asking.programs_.push_back(std::move(asker));
  }
  // Not before: the verifier would take the entries for constants, which it cannot read here.
  if (bpf_map_freeze(bpf_map__fd(asking.skeleton_->maps.not_made)) < 0)
    return failed(errno, "describe the namespaces of");
  return asking;
}

Result<std::vector<Fd>> Asking::attach() {
  std::vector<Fd> links;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (bpf_program__type(program) == BPF_PROG_TYPE_LSM) continue;
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) return failed(errno, "attach what asks");
    links.emplace_back(fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0));
    bpf_link__destroy(link);
    if (!links.back()) return failed(errno, "keep a link of");
  }
  for (const Fd& asker : programs_) {
    links.emplace_back(bpf_link_create(asker.get(), 0, BPF_LSM_MAC, nullptr));
    if (!links.back()) return failed(errno, "attach what asks");
  }
  return links;
}

}  // namespace holdfast::hooks
