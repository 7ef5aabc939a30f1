// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "holdfast/hooks.h"
#include "hooks/hooks_kernel.h"
#include "hooks/interpose.h"
#include "hooks/registry.h"

namespace holdfast::hooks {
namespace {

holdfast_hook_state public_state(Offer::State state) {
  switch (state) {
    case Offer::State::kNative:
      return HOLDFAST_HOOK_NATIVE;
    case Offer::State::kBridged:
      return HOLDFAST_HOOK_BRIDGED;
    case Offer::State::kUnavailable:
      break;
  }
  return HOLDFAST_HOOK_UNAVAILABLE;
}

holdfast_hook_state public_state(LabelOffer::Source source) {
  switch (source) {
    case LabelOffer::Source::kKernel:
      return HOLDFAST_HOOK_NATIVE;
    case LabelOffer::Source::kList:
      return HOLDFAST_HOOK_BRIDGED;
    case LabelOffer::Source::kNone:
      break;
  }
  return HOLDFAST_HOOK_UNAVAILABLE;
}

}  // namespace
}  // namespace holdfast::hooks

using holdfast::hooks::Hook;
using holdfast::hooks::kHooks;
using holdfast::hooks::LabelOffer;
using holdfast::hooks::Offer;

int holdfast_hooks_enable() {
  if (holdfast::hooks::is_enabled()) return 0;
  const auto& kernel = holdfast::hooks::running_kernel();
  if (!kernel) {
    holdfast::hooks::warn(kernel.error().message());
    return -kernel.error().code;
  }
  if (!holdfast::hooks::precedes_libbpf()) {
    holdfast::hooks::warn(
        "libbpf is found first, so that bpf_program__attach_lsm() would enforce nothing: link "
        "holdfast-hooks before it, with the options of pkg-config (--static for a static program)");
    return -ENOTSUP;
  }
  for (Hook hook : kHooks) {
    if (const int error = holdfast::hooks::register_hook(hook); error < 0) return error;
  }
  holdfast::hooks::set_enabled();
  return 0;
}

int holdfast_hooks_status(holdfast_hook_status* out, size_t count) {
  const auto& kernel = holdfast::hooks::running_kernel();
  if (!kernel) return -kernel.error().code;
  for (std::size_t i = 0; i < kHooks.size() && i < count; i++) {
    const Offer& offer = kernel->offer(kHooks[i]);
    out[i] = {holdfast::hooks::hook_name(kHooks[i]).data(),
              holdfast::hooks::public_state(offer.state), offer.how.c_str()};
  }
  return static_cast<int>(kHooks.size());
}

int holdfast_hooks_label_status(holdfast_hook_status* out) {
  const auto& kernel = holdfast::hooks::running_kernel();
  if (!kernel) return -kernel.error().code;
  const LabelOffer& labels = kernel->labels;
  *out = {holdfast::hooks::kLabelReader.data(), holdfast::hooks::public_state(labels.source),
          labels.how.c_str()};
  return 0;
}

void holdfast_hooks_limit_to_cgroup(int cgroup_fd) {
  holdfast::hooks::choices().scope_cgroup_fd = cgroup_fd;
}

void holdfast_hooks_alloc_refusal(holdfast_alloc_refusal refusal) {
  using holdfast::hooks::AllocRefusal;
  AllocRefusal& chosen = holdfast::hooks::choices().alloc_refusal;
  switch (refusal) {
    case HOLDFAST_ALLOC_ASK:
      chosen = AllocRefusal::kAsk;
      return;
    case HOLDFAST_ALLOC_KILL:
      chosen = AllocRefusal::kKill;
      return;
    case HOLDFAST_ALLOC_IGNORE:
      chosen = AllocRefusal::kIgnore;
      return;
    case HOLDFAST_ALLOC_ASK_AND_TELL:
      chosen = AllocRefusal::kAskAndTell;
      return;
  }
}

int holdfast_hooks_pin(const bpf_link* link, const char* directory) {
  const auto attachment = holdfast::hooks::attachment_of(link);
  return attachment ? holdfast::hooks::pin_into(*attachment, directory) : -EINVAL;
}

const char* holdfast_hooks_error() { return holdfast::hooks::last_warning().c_str(); }
