// SPDX-License-Identifier: Apache-2.0
// The global variables of the machine-wide programs.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H

#include <type_traits>

// Types that the skeleton names and does not declare.
#include "core/counters.h"
#include "core/layers.h"
#include "core/machine_sockets.h"
#include "core/tracked.h"

#include "bpf/machine.skel.h"
#include "kernel/bpf/bpf_pin.h"

namespace holdfast::backend::lsm {

using Globals = std::remove_pointer_t<decltype(machine_bpf::bss)>;

inline Globals& globals_of(const kernel::MappedValue& mapping) {
  return *static_cast<Globals*>(mapping.data());
}

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H
