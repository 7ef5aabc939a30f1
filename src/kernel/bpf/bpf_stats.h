// SPDX-License-Identifier: Apache-2.0
// How much there is in maps, and how often programs ran.
#ifndef HOLDFAST_KERNEL_BPF_BPF_STATS_H
#define HOLDFAST_KERNEL_BPF_BPF_STATS_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// From now on, and as long as the descriptor is open, the kernel counts and times every BPF program
// of the machine. Errors: EPERM; of bpf(2).
[[nodiscard]] Result<Fd> count_program_runs();
// Does somebody have it count for good (kernel.bpf_stats_enabled)?
[[nodiscard]] bool counts_program_runs();

struct ProgramRuns {
  std::string name;        // at most 15 bytes
  std::uint64_t runs = 0;  // while they were counted
  std::uint64_t run_ns = 0;
};
// Of a program, or of the one that a link attaches. Errors: EINVAL it is neither; ENOENT it is
// gone.
[[nodiscard]] Result<ProgramRuns> program_runs(int fd);

// Entries of a hash. Reads them all. Errors: of bpf(2).
[[nodiscard]] Result<std::uint64_t> map_used(int map_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_STATS_H
