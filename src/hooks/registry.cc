// SPDX-License-Identifier: Apache-2.0
// libbpf calls the handlers below for every program in a section of a hook, when it opens, loads
// and attaches the program.
#include "hooks/registry.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdarg>
#include <map>
#include <memory>
#include <string>

#include "hooks/hooks_kernel.h"
#include "hooks/native.h"

namespace holdfast::hooks {
namespace {

struct State {
  bool enabled = false;
  Choices choices;
  std::string error;
  // The key is the address. libbpf has no callback for closing an object. If a new program has the
  // same address, its entry replaces the old one.
  std::map<const bpf_program*, std::unique_ptr<Adapter>> adapters;
  std::map<const bpf_program*, std::unique_ptr<NativeProgram>> natives;
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

int report(const bpf_program* program, const Error& error) {
  warn(std::string("prog '") + bpf_program__name(program) + "': " + error.message());
  return error.code != 0 ? -error.code : -EINVAL;
}

int set_up(bpf_program* program, long cookie) {
  const auto hook = static_cast<Hook>(cookie);
  const Offer& offer = running_kernel()->offer(hook);
  state().adapters.erase(program);
  state().natives.erase(program);
  if (offer.state == Offer::State::kNative) {
    state().natives[program] = std::make_unique<NativeProgram>(hook, offer);
    return 0;
  }
  const bpf_insn* insns = bpf_program__insns(program);
  state().adapters[program] =
      std::make_unique<Adapter>(hook, offer, bpf_program__name(program),
                                Instructions(insns, insns + bpf_program__insn_cnt(program)));
  return 0;
}

int prepare(bpf_program* program, bpf_prog_load_opts* options, long) {
  if (const auto native = state().natives.find(program); native != state().natives.end()) {
    const Result<void> prepared = native->second->prepare(program, *options, state().choices);
    return prepared ? 0 : report(program, prepared.error());
  }
  const auto found = state().adapters.find(program);
  if (found == state().adapters.end()) return -ENOENT;
  const Result<void> prepared = found->second->prepare(program, *options, state().choices);
  return prepared ? 0 : report(program, prepared.error());
}

int attach(const bpf_program* program, long, bpf_link** link) {
  *link = nullptr;
  if (state().natives.contains(program)) {
    *link = bpf_program__attach_trace(program);
    return *link != nullptr ? 0 : -errno;
  }
  const auto found = state().adapters.find(program);
  if (found == state().adapters.end()) return -ENOENT;
  const Result<bpf_link*> attached = found->second->attach(program);
  if (!attached) return report(program, attached.error());
  *link = *attached;
  return 0;
}

}  // namespace

int register_hook(Hook hook) {
  const bool native = running_kernel()->offer(hook).state == Offer::State::kNative;
  LIBBPF_OPTS(libbpf_prog_handler_opts, options);
  options.cookie = static_cast<long>(hook);
  options.prog_setup_fn = set_up;
  options.prog_prepare_load_fn = prepare;
  options.prog_attach_fn = attach;
  for (const char* prefix : {"lsm/", "lsm.s/"}) {
    const std::string section = prefix + std::string(hook_name(hook));
    const int id = libbpf_register_prog_handler(section.c_str(),
                                                native ? BPF_PROG_TYPE_LSM : BPF_PROG_TYPE_TRACING,
                                                native ? BPF_LSM_MAC : BPF_TRACE_FENTRY, &options);
    if (id < 0) return id;
  }
  return 0;
}

bool is_enabled() { return state().enabled; }

void set_enabled() { state().enabled = true; }

bool is_bridged(const bpf_program* program) { return state().adapters.contains(program); }

bpf_link* attach_bridged(const bpf_program* program) {
  bpf_link* link = nullptr;
  if (const int error = attach(program, 0, &link); error < 0) errno = -error;
  return link;
}

Choices& choices() { return state().choices; }

const std::string& last_warning() { return state().error; }

void warn(const std::string& message) {
  state().error = message;
  const libbpf_print_fn_t print = libbpf_set_print(nullptr);
  libbpf_set_print(print);
  if (print != nullptr) print_to(print, "holdfast-hooks: %s\n", message.c_str());
}

}  // namespace holdfast::hooks
