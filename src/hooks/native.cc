// SPDX-License-Identifier: Apache-2.0
#include "hooks/native.h"

#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "hooks/btf_patch.h"

namespace holdfast::hooks {

Result<void> NativeProgram::prepare(bpf_program* program, bpf_prog_load_opts& options,
                                    const Choices& choices) {
  options.attach_btf_id = offer_.native_id;
  // libbpf 1.5 and later read it here, earlier ones from the program.
  options.expected_attach_type = BPF_LSM_MAC;
  bpf_program__set_expected_attach_type(program, BPF_LSM_MAC);
  const std::string_view section = bpf_program__section_name(program);
  if (section.starts_with("lsm.s/")) options.prog_flags |= BPF_F_SLEEPABLE;
  if (choices.scope_cgroup_fd < 0) return {};
  return limit(program, options, choices.scope_cgroup_fd);
}

// Of cgroup_attach the moved task's cgroup counts, which is an argument: the one that it leaves.
Result<void> NativeProgram::limit(bpf_program* program, bpf_prog_load_opts& options,
                                  int cgroup_fd) {
  constexpr int kSourceCgroup = 1;
  const std::string name = bpf_program__name(program);
  struct stat status {};
  if (fstat(cgroup_fd, &status) < 0) return Error{errno, "limit to a cgroup", name, ""};
  Instructions insns = hook_ == Hook::kCgroupAttach
                           ? limit_to_cgroup_argument(status.st_ino, kSourceCgroup, offer_.cgroups)
                           : limit_to_cgroup(status.st_ino);
  const auto added = static_cast<std::uint32_t>(insns.size());
  insns.insert(insns.end(), bpf_program__insns(program),
               bpf_program__insns(program) + bpf_program__insn_cnt(program));
  if (const int error = bpf_program__set_insns(program, insns.data(), insns.size()); error < 0)
    return Error{-error, "limit to a cgroup", name, ""};
  shift_debug_info(options, added, functions_, lines_);
  return {};
}

}  // namespace holdfast::hooks
