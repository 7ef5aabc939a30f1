// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/bpf_stats.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <vector>

#include "kernel/bpf/bpf_pin.h"
#include "kernel/files/text_file.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Fd> enable_program_stats() {
  Fd fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!fd) return system_error("count program runs");
  return fd;
}

bool program_stats_enabled() {
  const auto text = read_text_file("/proc/sys/kernel/bpf_stats_enabled");
  return text && text->starts_with('1');
}

Result<ProgramRuns> program_runs(int fd) {
  HF_TRY_ASSIGN(const auto id, bpf_id(fd));
  if (id.kind == BpfKind::map) return Error{EINVAL, "describe", {}, "a map"};
  const Fd program(bpf_prog_get_fd_by_id(id.kind == BpfKind::link ? id.program : id.id));
  if (!program) return system_error("describe program");
  bpf_prog_info info = {};
  __u32 bytes = sizeof(info);
  if (bpf_prog_get_info_by_fd(program.get(), &info, &bytes) != 0)
    return system_error("describe program");
  return ProgramRuns{info.name, info.run_cnt, info.run_time_ns};
}

Result<std::uint64_t> count_map_entries(int map_fd) {
  constexpr std::uint32_t kFirstBatch = 1024;
  HF_TRY_ASSIGN(const auto shape, map_shape(map_fd));
  // The kernel's cursor has at batch the key's size, but at least 4 bytes.
  std::vector<std::byte> from(shape.key_bytes + 8), to(shape.key_bytes + 8);
  std::uint64_t used = 0;
  for (std::uint32_t batch = kFirstBatch; batch <= shape.max_entries * 2 + kFirstBatch;) {
    std::vector<std::byte> keys(std::size_t{batch} * shape.key_bytes);
    std::vector<std::byte> values(std::size_t{batch} * shape.value_bytes);
    std::uint32_t count = batch;
    const int code = bpf_map_lookup_batch(map_fd, used == 0 ? nullptr : from.data(), to.data(),
                                          keys.data(), values.data(), &count, nullptr);
    if (code == -ENOSPC) {  // one bucket has more entries than the buffer
      batch *= 2;
      continue;
    }
    if (code != 0 && code != -ENOENT) return Error{-code, "count entries", {}, {}};
    used += count;
    if (code == -ENOENT || count == 0) return used;
    from.swap(to);
  }
  return used;
}

}  // namespace holdfast::kernel
