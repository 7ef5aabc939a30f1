// SPDX-License-Identifier: Apache-2.0
// The programs of hooks in this process, from the time when libbpf opens their object. One thread,
// as libbpf itself.
#ifndef HOLDFAST_HOOKS_REGISTRY_H
#define HOLDFAST_HOOKS_REGISTRY_H

#include <bpf/libbpf.h>

#include <string>

#include "hooks/adapter.h"
#include "hooks/hooks_sites.h"

namespace holdfast::hooks {

// Registers the handlers for the sections of this hook with libbpf. 0, or a negative errno.
int register_hook(Hook hook);

// Whether the hooks are registered. set_enabled() is called after that.
bool is_enabled();
void set_enabled();

bool is_bridged(const bpf_program* program);

// As bpf_program__attach(): the caller owns the link. Null and errno: it failed.
bpf_link* attach_bridged(const bpf_program* program);

// The choices for programs that are loaded later; the caller may change them.
Choices& choices();

// Sends a warning to libbpf's print callback, and stores it for last_warning().
void warn(const std::string& message);
const std::string& last_warning();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REGISTRY_H
