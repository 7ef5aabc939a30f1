// SPDX-License-Identifier: Apache-2.0
//
// `holdfast doctor`: lists the features of this kernel, then runs a self-test for each backend. A
// feature only shows that enforcement should work. The self-test is a real run whose command tries
// what its policy forbids. It passes only if both attempts are refused and the backend reports both
// refusals with their reasons. The hooks for programs of third parties are probed in the same way.
#include <fmt/core.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

#include "base/reason.h"
#include "cli/commands.h"
#include "cli/hook_state.h"
#include "cli/self_test.h"
#include "hooks/probe/hook_probe.h"
#include "kernel/features.h"
#include "kernel/sockets/stream.h"
#include "policy/load.h"
#include "rpc/control_interface.h"
#include "run/choice.h"
#include "run/supervise.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view kSelfTestPolicy =
    "version = 1\n"
    "[profile.self-test]\n"
    "namespaces.create = []\n"
    "namespaces.enter = \"none\"\n";

struct Proof {
  enum class Outcome { held, failed, unavailable } outcome;
  std::string backend;
  std::string detail;
};

Proof prove(const std::string& backend, const run::RunPolicy& policy) {
  Proof proof{Proof::Outcome::failed, backend, {}};
  bool creation_seen = false;
  bool entry_seen = false;
  const backend::SessionSpec spec{policy.compiled->tables.get(), 1, 0, [&](const hf_event& event) {
                                    creation_seen |= event.verdict.reason == HF_REASON_CREATE;
                                    entry_seen |= event.verdict.reason == HF_REASON_ENTER_NONE;
                                  }};
  auto attached = run::attach(backend, spec, policy);
  if (!attached) {
    proof.detail = attached.error().message();
    // Nothing was enforced at any time.
    const int code = attached.error().code;
    const bool refused = code == EPERM || code == ENOTSUP || code == ENOSYS || code == EBUSY;
    // Of an ordinary user holdfastd says why not.
    if (refused || (code == 0 && backend == "lsm")) proof.outcome = Proof::Outcome::unavailable;
    return proof;
  }
  const auto outcome =
      run::supervise(*attached->session, {"/proc/self/exe", std::string(kSelfTestArgument)}, 0,
                     [](pid_t) { return Result<void>(); }, {});
  if (!outcome) {
    proof.detail = outcome.error().message();
  } else if (outcome->exit_code != 0) {
    proof.detail = "the self-test was not refused";
  } else if (!creation_seen || !entry_seen) {
    proof.detail = "the self-test was refused, but not reported";
  } else {
    proof.outcome = Proof::Outcome::held;
    proof.detail = "making a namespace and entering one were both refused and reported";
  }
  return proof;
}

// The hooks for programs of others, as `holdfast hooks status` has them.
void add_hooks(std::vector<kernel::Feature>& features) {
  holdfast_hook_status hooks[HOLDFAST_HOOKS];
  if (holdfast_hooks_status(hooks, HOLDFAST_HOOKS) < 0) return;  // no type information: said above
  for (const holdfast_hook_status& hook : hooks)
    features.push_back({std::string("hook ") + hook.hook,
                        hook.state == HOLDFAST_HOOK_UNAVAILABLE ? kernel::Condition::limited
                                                                : kernel::Condition::good,
                        std::string(hook_state_word(hook.state)) + ": " + hook.how});
  holdfast_hook_status labels = {};
  if (holdfast_hooks_label_status(&labels) < 0) return;
  features.push_back({std::string("function ") + labels.hook,
                      labels.state == HOLDFAST_HOOK_UNAVAILABLE ? kernel::Condition::limited
                                                                : kernel::Condition::good,
                      std::string(hook_state_word(labels.state)) + ": " + labels.how});
}

// For an ordinary user: does holdfastd hold this user's runs?
void add_sessions(std::vector<kernel::Feature>& features, const run::RunPolicy& policy) {
  if (geteuid() == 0) return;
  const backend::SessionSpec spec{policy.compiled->tables.get(), 1, 0, [](const hf_event&) {}};
  const auto session = run::open_resident(rpc::kControlSocket, policy, spec);
  const std::string why = session ? std::string() : reason_of(session.error());
  features.push_back({"runs of this user under holdfastd",
                      session ? kernel::Condition::good : kernel::Condition::limited,
                      session ? "as [sessions] of the machine's policy says" : why});
}

std::string_view word(kernel::Condition condition) {
  switch (condition) {
    case kernel::Condition::good:
      return "ok";
    case kernel::Condition::limited:
      return "limited";
    case kernel::Condition::missing:
      return "missing";
    case kernel::Condition::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view word(Proof::Outcome outcome) {
  switch (outcome) {
    case Proof::Outcome::held:
      return "held";
    case Proof::Outcome::failed:
      return "FAILED";
    case Proof::Outcome::unavailable:
      return "not here";
  }
  return "FAILED";
}

std::string_view word(hooks::HookProbe::Outcome outcome) {
  switch (outcome) {
    case hooks::HookProbe::Outcome::held:
      return "held";
    case hooks::HookProbe::Outcome::failed:
      return "FAILED";
    case hooks::HookProbe::Outcome::unavailable:
      return "not here";
  }
  return "FAILED";
}

struct Findings {
  std::vector<kernel::Feature> features;
  std::vector<Proof> proofs;
  std::vector<hooks::HookProbe> probes;
};

void print_pretty(const Findings& findings) {
  for (const kernel::Feature& feature : findings.features)
    fmt::print("{:<8} {:<36} {}\n", word(feature.condition), feature.name, feature.state);
  fmt::print("\nproof: a command tries what its policy forbids\n");
  for (const Proof& proof : findings.proofs)
    fmt::print("{:<8} {:<36} {}\n", word(proof.outcome), proof.backend, proof.detail);
  if (findings.probes.empty()) return;
  fmt::print("\nprobe: a process tries what a BPF program refuses at the hook\n");
  for (const hooks::HookProbe& probe : findings.probes)
    fmt::print("{:<8} {:<36} {}\n", word(probe.outcome), "hook " + probe.hook, probe.detail);
}

void print_json(const Findings& findings) {
  nlohmann::json report = {{"version", 1}};
  for (const kernel::Feature& feature : findings.features)
    report["features"].push_back(
        {{"name", feature.name}, {"condition", word(feature.condition)}, {"state", feature.state}});
  for (const Proof& proof : findings.proofs)
    report["backends"].push_back({{"name", proof.backend},
                                  {"held", proof.outcome == Proof::Outcome::held},
                                  {"available", proof.outcome != Proof::Outcome::unavailable},
                                  {"detail", proof.detail}});
  for (const hooks::HookProbe& probe : findings.probes)
    report["hooks"].push_back(
        {{"name", probe.hook},
         {"held", probe.outcome == hooks::HookProbe::Outcome::held},
         {"available", probe.outcome != hooks::HookProbe::Outcome::unavailable},
         {"detail", probe.detail}});
  fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int verdict(const Findings& findings) {
  bool any_held = false;
  for (const Proof& proof : findings.proofs) {
    if (proof.outcome == Proof::Outcome::failed) return kExitFailed;
    any_held |= proof.outcome == Proof::Outcome::held;
  }
  for (const hooks::HookProbe& probe : findings.probes)
    if (probe.outcome == hooks::HookProbe::Outcome::failed) return kExitFailed;
  return any_held ? kExitOk : kExitImpossible;
}

}  // namespace

int doctor(const DoctorOptions& options) {
  if (options.fix) return doctor_fix(options);
  const std::vector<policy::Source> sources = {{"doctor", std::string(kSelfTestPolicy)}};
  const auto loaded = policy::load(sources);
  if (!loaded.policy) return kExitFailed;
  const run::RunPolicy policy{sources, "self-test", {}, loaded.policy.get()};
  Findings findings;
  findings.features = kernel::survey_features();
  add_hooks(findings.features);
  add_sessions(findings.features, policy);
  findings.probes = hooks::probe_hooks();
  // lsm first: the supervisor makes this process undumpable, which cannot be undone.
  findings.proofs.push_back(prove("lsm", policy));
  findings.proofs.push_back(prove("supervisor", policy));
  if (options.format == "json")
    print_json(findings);
  else
    print_pretty(findings);
  return verdict(findings);
}

}  // namespace holdfast::cli
