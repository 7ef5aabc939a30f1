// SPDX-License-Identifier: Apache-2.0
// Counts entries of maps and runs of programs.
#ifndef HOLDFAST_KERNEL_BPF_BPF_STATS_H
#define HOLDFAST_KERNEL_BPF_BPF_STATS_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// While the returned descriptor is open, the kernel counts and times the runs of every BPF program
// of the machine (BPF_ENABLE_STATS). Errors: EPERM; of bpf(2).
[[nodiscard]] Result<Fd> enable_program_stats();
// Whether the kernel counts runs: the sysctl kernel.bpf_stats_enabled. False also when it cannot be
// read.
[[nodiscard]] bool program_stats_enabled();

struct ProgramRuns {
  std::string name;        // at most 15 bytes
  std::uint64_t runs = 0;  // only while statistics were enabled
  std::uint64_t run_ns = 0;
};
// The statistics of a program, or of the program of a link. Errors: EINVAL, `fd` is neither;
// ENOENT, the program does not exist any more; of bpf(2).
[[nodiscard]] Result<ProgramRuns> program_runs(int fd);

// The number of entries of a hash map. Reads all entries. Errors: of bpf(2).
[[nodiscard]] Result<std::uint64_t> count_map_entries(int map_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_STATS_H
