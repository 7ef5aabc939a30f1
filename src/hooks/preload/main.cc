// SPDX-License-Identifier: Apache-2.0
// Only in the shared library: if it is in LD_PRELOAD, the hooks are enabled before main().
#include <bpf/libbpf.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "holdfast/hooks.h"

namespace {

__attribute__((constructor)) void enable_when_preloaded() {
  const char* preload = std::getenv("LD_PRELOAD");
  if (preload == nullptr || std::strstr(preload, "libholdfast-hooks") == nullptr) return;
  if (const int error = holdfast_hooks_enable(); error < 0) {
    std::fprintf(stderr, "libholdfast-hooks: cannot enable: %s\n", std::strerror(-error));
  }
}

}  // namespace
