// SPDX-License-Identifier: Apache-2.0
// The programs that are bridged in this process, from the moment libbpf opens their object.
#ifndef HOLDFAST_HOOKS_REGISTRY_H
#define HOLDFAST_HOOKS_REGISTRY_H

#include <bpf/libbpf.h>

#include <string>

#include "hooks/adapter.h"
#include "hooks/hooks_sites.h"

namespace holdfast::hooks {

// From now on libbpf hands the programs of this hook's sections over. 0 or a negative errno.
int register_hook(Hook hook);

bool is_bridged(const bpf_program* program);

// As bpf_program__attach(): null and errno on failure.
bpf_link* attach_bridged(const bpf_program* program);

Choices& choices();

// Where the object's owner reads libbpf's own warnings, and for last_warning().
void warn(const std::string& message);
const std::string& last_warning();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REGISTRY_H
