// SPDX-License-Identifier: Apache-2.0
// The global variables of the machine-wide programs.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H

#include <type_traits>

#include "core/counters.h"  // a type that the skeleton names and does not declare

#include "bpf/machine.skel.h"
#include "kernel/bpf/bpf_pin.h"

namespace holdfast::backend::lsm {

using Globals = std::remove_pointer_t<decltype(machine_bpf::bss)>;

// The skeleton's mapping or, not null, that of the pin.
inline Globals& globals_of(const machine_bpf* skeleton, const kernel::MappedValue* pin) {
  return pin != nullptr ? *static_cast<Globals*>(pin->data()) : *skeleton->bss;
}

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_GLOBALS_H
