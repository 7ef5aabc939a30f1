// SPDX-License-Identifier: Apache-2.0
// The record that a session's BPF programs and this process share, mapped.
#ifndef HOLDFAST_BACKEND_LSM_RUN_SESSION_RECORD_H
#define HOLDFAST_BACKEND_LSM_RUN_SESSION_RECORD_H

#include <atomic>

#include "backend/backend.h"
#include "base/result.h"
#include "bpf/run/session.h"

namespace holdfast::backend::lsm {

// Owns the mapping. Fields that programs change at any time are read and written through at().
class SessionRecord {
 public:
  // Errors: of mmap(2).
  static Result<SessionRecord> map(int map_fd);
  SessionRecord(SessionRecord&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  SessionRecord& operator=(SessionRecord&&) = delete;
  ~SessionRecord();

  [[nodiscard]] hf_session& fields() const { return *record_; }
  template <typename T>
  [[nodiscard]] static std::atomic_ref<T> at(T& field) {
    return std::atomic_ref<T>(field);
  }
  [[nodiscard]] Totals totals() const;
  void reset_totals() const;

 private:
  explicit SessionRecord(hf_session* record) : record_(record) {}
  hf_session* record_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_SESSION_RECORD_H
