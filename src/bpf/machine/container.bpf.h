/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers: sessions that a runtime's hook opens for a process that will execute the container's program. Until it does,
 * the process is the runtime's, and its set-up is not decided about by the session (has_no_say(), layers.bpf.h).
 *
 * Only descent and an exec tell the two apart, and neither can be claimed: what has executed a program has lost the state,
 * and whatever it forks has none to inherit. What the runtime has left behind without executing anything loses it with the
 * exec of the container's program. A program that a hook has executed in the container before is none of the runtime, so it
 * must not trace it: this way it would act with its state.
 */
#ifndef HOLDFAST_BPF_MACHINE_CONTAINER_BPF_H
#define HOLDFAST_BPF_MACHINE_CONTAINER_BPF_H

#include "bpf/machine/layers.bpf.h"
#include "bpf/machine/machine_helper.bpf.h"
#include "bpf/machine/mark.bpf.h"

/* The current task executes a program. */
static __noinline int end_set_up(struct hf_layer *layer) {
  struct hf_session_state *state;
  if (!layer || !layer->setup) return 0;
  state = layer->setup == HF_SETUP_FIRST ? session_at(layer->slot) : 0;
  layer->setup = HF_SETUP_OVER;
  if (state) state->setup = 0;
  return 0;
}

/* The point of no return: the memory is that of the new program, which has executed nothing. */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(session_exec, struct linux_binprm___mark *bprm) {
  struct hf_layers *sessions = sessions_of(bpf_get_current_task());
  if (!sessions) return 0;
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) end_set_up(&sessions->layer[i]);
  return 0;
}

/* Does the task set up a container that `tracer` is a member of, and has executed a program in? */
static __always_inline int is_runtime_of(const struct hf_layer *layer, const struct hf_layers *tracer) {
  const struct hf_session_state *state;
  if (!layer->setup) return 0;
  state = session_at(layer->slot);
  if (!state || !state->setup) return 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *own = session_number(tracer, i);
    if (!own) break;
    if (own->set == layer->set) return !own->setup;
  }
  return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(session_trace, struct task_struct *child, unsigned int mode) {
  const struct hf_layers *tracer = sessions_of(bpf_get_current_task());
  const struct hf_layers *traced;
  if (!tracer || !(mode & HF_PTRACE_MODE_ATTACH)) return 0;
  traced = sessions_of(hf_number(child));
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(traced, i);
    if (!layer) break;
    if (!is_runtime_of(layer, tracer)) continue;
    refusal_tell(HF_GUARD_RUNTIME, 0, 0);
    return hf_answer(1);
  }
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_CONTAINER_BPF_H */
