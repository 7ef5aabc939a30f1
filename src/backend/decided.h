// SPDX-License-Identifier: Apache-2.0
// The event of a decision that user space made. (BPF programs make the events of theirs.)
#ifndef HOLDFAST_BACKEND_DECIDED_H
#define HOLDFAST_BACKEND_DECIDED_H

#include <cstdint>

#include "core/abi.h"

namespace holdfast::backend {

// `time_ns` is CLOCK_BOOTTIME. The caller sets `id`, `source`, `target` and `object` itself.
[[nodiscard]] inline hf_event decided(const hf_request& request, const hf_verdict& verdict,
                                      const hf_task& actor, std::uint64_t generation,
                                      std::uint64_t time_ns) {
  hf_event event = {};
  event.version = HF_ABI_VERSION;
  event.length = sizeof(event);
  event.time_ns = time_ns;
  event.generation = generation;
  event.actor = actor;
  event.verdict = verdict;
  event.request = request;
  return event;
}

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_DECIDED_H
