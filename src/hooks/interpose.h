// SPDX-License-Identifier: Apache-2.0
// Replaces the functions of libbpf that do not call its handlers, so that they work for bridged
// programs.
#ifndef HOLDFAST_HOOKS_INTERPOSE_H
#define HOLDFAST_HOOKS_INTERPOSE_H

namespace holdfast::hooks {

// Whether calls of these functions in this process reach this library before libbpf.
bool precedes_libbpf();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_INTERPOSE_H
