// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/session_record.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

Result<SessionRecord> SessionRecord::map(int map_fd) {
  const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (at == MAP_FAILED) return kernel::system_error("map BPF map", "session");
  return SessionRecord(static_cast<hf_session*>(at));
}

SessionRecord::~SessionRecord() {
  if (record_ != nullptr) munmap(record_, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

Totals SessionRecord::totals() const {
  hf_session_totals& t = record_->totals;
  Totals totals(hf_read_counters(&t.decisions));
  totals.lost = at(t.lost).load(std::memory_order_relaxed);
  totals.guarded = at(t.guarded).load(std::memory_order_relaxed);
  return totals;
}

void SessionRecord::reset_totals() const { record_->totals = {}; }

}  // namespace holdfast::backend::lsm
