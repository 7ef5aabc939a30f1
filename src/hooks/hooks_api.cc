// SPDX-License-Identifier: Apache-2.0
// libbpf asks here for every program in one of the hooks' sections: when it opens, loads and
// attaches it.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "holdfast/hooks.h"
#include "hooks/adapter.h"
#include "hooks/hooks_kernel.h"

namespace holdfast::hooks {
namespace {

struct State {
  bool enabled = false;
  Choices choices;
  std::string error;
  // By address: libbpf tells nobody when it closes an object. An address that is used again
  // replaces what was kept for the program that had it before.
  std::map<const bpf_program*, std::unique_ptr<Adapter>> adapters;
};

State& state() {
  static State instance;
  return instance;
}

void print_to(libbpf_print_fn_t print, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print(LIBBPF_WARN, format, arguments);
  va_end(arguments);
}

// Says it where the object's owner reads libbpf's own warnings.
int report(const bpf_program* program, const Error& error) {
  state().error = std::string("prog '") + bpf_program__name(program) + "': " + error.message();
  const libbpf_print_fn_t print = libbpf_set_print(nullptr);
  libbpf_set_print(print);
  if (print != nullptr) print_to(print, "holdfast-hooks: %s\n", state().error.c_str());
  return error.code != 0 ? -error.code : -EINVAL;
}

int set_up(bpf_program* program, long cookie) {
  const auto hook = static_cast<Hook>(cookie);
  const bpf_insn* insns = bpf_program__insns(program);
  state().adapters[program] =
      std::make_unique<Adapter>(hook, running_kernel()->offer(hook), bpf_program__name(program),
                                Instructions(insns, insns + bpf_program__insn_cnt(program)));
  return 0;
}

int prepare(bpf_program* program, bpf_prog_load_opts* options, long) {
  const auto found = state().adapters.find(program);
  if (found == state().adapters.end()) return -ENOENT;
  const Result<void> prepared = found->second->prepare(program, *options, state().choices);
  return prepared ? 0 : report(program, prepared.error());
}

int attach(const bpf_program* program, long, bpf_link** link) {
  *link = nullptr;
  const auto found = state().adapters.find(program);
  if (found == state().adapters.end()) return -ENOENT;
  const Result<bpf_link*> attached = found->second->attach(program);
  if (!attached) return report(program, attached.error());
  *link = *attached;
  return 0;
}

int register_hook(Hook hook) {
  LIBBPF_OPTS(libbpf_prog_handler_opts, options);
  options.cookie = static_cast<long>(hook);
  options.prog_setup_fn = set_up;
  options.prog_prepare_load_fn = prepare;
  options.prog_attach_fn = attach;
  for (const char* prefix : {"lsm/", "lsm.s/"}) {
    const std::string section = prefix + std::string(hook_name(hook));
    const int id = libbpf_register_prog_handler(section.c_str(), BPF_PROG_TYPE_TRACING,
                                                BPF_TRACE_FENTRY, &options);
    if (id < 0) return id;
  }
  return 0;
}

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

}  // namespace
}  // namespace holdfast::hooks

using holdfast::hooks::Hook;
using holdfast::hooks::kHooks;
using holdfast::hooks::Offer;

int holdfast_hooks_enable() {
  auto& state = holdfast::hooks::state();
  if (state.enabled) return 0;
  const auto& kernel = holdfast::hooks::running_kernel();
  if (!kernel) return -kernel.error().code;
  for (Hook hook : kHooks) {
    if (kernel->offer(hook).state == Offer::State::kNative) continue;
    if (const int error = holdfast::hooks::register_hook(hook); error < 0) return error;
  }
  state.enabled = true;
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

void holdfast_hooks_limit_to_cgroup(int cgroup_fd) {
  holdfast::hooks::state().choices.scope_cgroup_fd = cgroup_fd;
}

void holdfast_hooks_alloc_refusal(holdfast_alloc_refusal refusal) {
  using holdfast::hooks::Refusal;
  holdfast::hooks::state().choices.alloc_refusal = refusal == HOLDFAST_ALLOC_KILL ? Refusal::kKilled
                                                   : refusal == HOLDFAST_ALLOC_IGNORE
                                                       ? Refusal::kIgnored
                                                       : Refusal::kNeverAsked;
}

int holdfast_hooks_pin(const bpf_link* link, const char* directory) {
  const auto attachment = holdfast::hooks::attachment_of(link);
  if (!attachment) return -EINVAL;
  int number = 0;
  for (const holdfast::Fd& fd : attachment->links) {
    char name[16];
    std::snprintf(name, sizeof name, "%03d", number++);
    const std::string path = std::string(directory) + "/" + name;
    if (bpf_obj_pin(fd.get(), path.c_str()) < 0) return -errno;
  }
  return 0;
}

const char* holdfast_hooks_error() { return holdfast::hooks::state().error.c_str(); }
