// SPDX-License-Identifier: Apache-2.0
#include "run/choice.h"

namespace holdfast::run {
namespace {

Result<Attached> attach_one(std::unique_ptr<backend::Backend> backend,
                            const backend::SessionSpec& spec) {
  auto available = backend->available();
  if (!available) return available.error();
  auto session = backend->open(spec);
  if (!session) return session.error();
  return Attached{std::move(backend), std::move(*session), {}};
}

// Does the profile state rules about sockets or their labels, which this backend leaves unheld?
bool leaves_sockets(const backend::Backend& backend, const backend::SessionSpec& spec) {
  const hf_profile& profile = spec.tables->profiles[spec.profile];
  const auto unheld = [&](backend::RuleKind kind) {
    for (const backend::Promise& promise : backend.promises())
      if (promise.kind == kind) return promise.strength == backend::Strength::none;
    return true;
  };
  return (profile.socket_count > 0 && unheld(backend::RuleKind::socket)) ||
         ((profile.label_ruled || profile.label_inherit) && unheld(backend::RuleKind::label));
}

}  // namespace

backend::LabelWords label_words(const policy::Compiled& policy, std::uint16_t profile) {
  return {policy.label_names, policy.label_values, policy.label_rights[profile].set};
}

Result<Attached> attach(std::string_view wanted, const backend::SessionSpec& spec) {
  if (wanted == "lsm") return attach_one(backend::make_lsm_backend(), spec);
  if (wanted == "supervisor") return attach_one(backend::make_supervisor_backend(), spec);
  auto lsm = backend::make_lsm_backend();
  // Visitors are held by that backend alone.
  const bool needs_other = leaves_sockets(*lsm, spec) &&
                           spec.tables->profiles[spec.profile].ns_visitors == HF_VISITORS_ALLOW;
  std::string passed_over = "lsm: it does not decide about sockets";
  if (!needs_other) {
    auto strongest = attach_one(std::move(lsm), spec);
    if (strongest) return strongest;
    passed_over = "lsm: " + strongest.error().message();
  }
  auto other = attach_one(backend::make_supervisor_backend(), spec);
  if (!other) {
    Error error = other.error();
    error.detail += (error.detail.empty() ? "" : "; ") + passed_over;
    return error;
  }
  other->passed_over = passed_over;
  return other;
}

}  // namespace holdfast::run
