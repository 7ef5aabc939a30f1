// SPDX-License-Identifier: Apache-2.0
#include "run/choice.h"

#include <unistd.h>

#include <cerrno>

#include "base/reason.h"
#include "kernel/probe.h"
#include "kernel/process/privileges.h"
#include "rpc/control_interface.h"
#include "run/lsm_memory.h"
#include "run/runs_daemon.h"

namespace holdfast::run {
namespace {

// No process answers at the socket, or the other end has closed.
bool is_not_there(const Error& error) {
  return error.code == ENOENT || error.code == ECONNREFUSED || error.code == EPIPE ||
         error.code == ECONNRESET;
}

Result<Attached> attach_supervisor(const backend::SessionSpec& spec) {
  auto backend = backend::make_supervisor_backend();
  HF_TRY(backend->available());
  HF_TRY_ASSIGN(auto session, backend::open_supervised(spec));
  return Attached{std::move(backend), std::move(session), {}};
}

// Held by the machine's holdfastd, or else by one for runs, beside it if need be. Between its start and the call, that one
// may have ended.
Result<std::unique_ptr<backend::Session>> open_session(const RunPolicy& policy,
                                                       const backend::SessionSpec& spec) {
  auto session = open_resident(rpc::kControlSocket, policy, spec);
  // ENOSYS: the machine's has no guard, so it holds no run.
  if (session || (!is_not_there(session.error()) && session.error().code != ENOSYS)) return session;
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; i++) {
    HF_TRY(start_runs_daemon());
    session = open_resident(rpc::kRunsSocket, policy, spec);
    if (session || !is_not_there(session.error())) break;
  }
  return session;
}

// Who has root's id without its privileges is no ordinary user for holdfastd.
bool is_ordinary_user() { return geteuid() != 0 && !kernel::may_load_bpf(); }

// Held by the machine's holdfastd, if its policy says that it holds runs of this user. Errors: what that
// one says against it, in the detail; those of available() if there is none.
Result<Attached> attach_for_user(const backend::SessionSpec& spec, const RunPolicy& policy) {
  auto backend = backend::make_lsm_backend();
  auto session = open_resident(rpc::kControlSocket, policy, spec);
  if (session) return Attached{std::move(backend), *std::move(session), {}};
  if (!is_not_there(session.error())) return Error{0, "holdfastd", {}, reason_of(session.error())};
  HF_TRY(backend->available());
  return std::move(session).error();
}

Result<Attached> attach_lsm(const backend::SessionSpec& spec, const RunPolicy& policy) {
  if (is_ordinary_user()) return attach_for_user(spec, policy);
  auto backend = backend::make_lsm_backend();
  HF_TRY(backend->available());
  HF_TRY_ASSIGN(auto session, open_session(policy, spec));
  return Attached{std::move(backend), std::move(session), {}};
}

}  // namespace

backend::LabelNames label_words(const policy::Compiled& policy, std::uint16_t profile) {
  return {policy.label_names, policy.label_values, policy.label_rights[profile].set};
}

Result<Attached> attach(std::string_view wanted, const backend::SessionSpec& spec,
                        const RunPolicy& policy) {
  if (wanted == "lsm") return attach_lsm(spec, policy);
  if (wanted == "supervisor") return attach_supervisor(spec);
  const std::string privileges = kernel::privileges_text();
  // Which users holdfastd serves may change at any time.
  std::string why = is_ordinary_user() ? std::string() : recall(kLsmMemory, privileges);
  if (why.empty()) {
    auto strongest = attach_lsm(spec, policy);
    if (strongest) return strongest;
    remember(kLsmMemory, privileges, strongest.error());
    why = strongest.error().message();
  }
  const std::string passed_over = "lsm: " + why;
  auto other = attach_supervisor(spec);
  if (!other) {
    Error error = other.error();
    error.detail += (error.detail.empty() ? "" : "; ") + passed_over;
    return error;
  }
  other->passed_over = passed_over;
  return other;
}

}  // namespace holdfast::run
