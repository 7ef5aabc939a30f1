// SPDX-License-Identifier: Apache-2.0
// The numbered directories of pins that hold one set of attached programs each (core/pins.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_INSTANCE_H
#define HOLDFAST_BACKEND_LSM_MACHINE_INSTANCE_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/machine_stats.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/pins.h"

namespace holdfast::backend::lsm {

struct Instance {
  std::uint32_t number = 0;
  hf_layout layout = {};
};

// "DIRECTORY/N"
[[nodiscard]] std::string instance_path(const std::string& pin_directory, std::uint32_t number);

// One process at a time. Errors: EBUSY another one has it.
[[nodiscard]] Result<Fd> lock_instances(const std::string& pin_directory);

// The last one that was completed; one that a crash left half made is removed. Errors: EPROTO its
// layout is not one that this version knows.
[[nodiscard]] Result<std::optional<Instance>> newest_instance(const std::string& pin_directory);

// The number of the last one that was completed; 0: none. Changes nothing.
[[nodiscard]] Result<std::uint32_t> newest_complete(const std::string& pin_directory);

// Declares what is pinned in `directory` complete.
[[nodiscard]] Result<void> complete_instance(const std::string& directory, std::uint64_t object);

// How often the programs pinned there ran, by name; none when the kernel does not count.
[[nodiscard]] std::vector<ProgramStats> program_runs(const std::string& directory);

// Takes all others down; 0: all.
[[nodiscard]] Result<void> remove_instances_but(const std::string& pin_directory,
                                                std::uint32_t number);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_INSTANCE_H
