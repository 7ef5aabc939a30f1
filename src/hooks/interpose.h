// SPDX-License-Identifier: Apache-2.0
// The functions of libbpf that do not go through its handlers, done right for bridged programs.
#ifndef HOLDFAST_HOOKS_INTERPOSE_H
#define HOLDFAST_HOOKS_INTERPOSE_H

namespace holdfast::hooks {

// Does a call of one of them, in this process, come here first?
bool stands_before_libbpf();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_INTERPOSE_H
