// SPDX-License-Identifier: Apache-2.0
#include "run/choice.h"

#include <algorithm>

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

// What the profile states and this backend leaves wholly unheld, in words; "": nothing.
std::string_view left_unheld(const backend::Backend& backend, const backend::SessionSpec& spec) {
  using backend::RuleKind;
  const hf_profile& profile = spec.tables->profiles[spec.profile];
  const auto promises = backend.promises();
  const auto unheld = [&](RuleKind kind) {
    const auto found = std::ranges::find(promises, kind, &backend::Promise::kind);
    return found == promises.end() || found->strength == backend::Strength::none;
  };
  if ((profile.cg_leave != HF_MOVERS_ANY && unheld(RuleKind::cgroups_leave)) ||
      (profile.cg_join != HF_MOVERS_ANY && unheld(RuleKind::cgroups_join)) ||
      (profile.cg_inside != HF_INSIDE_ANY && unheld(RuleKind::cgroups_inside)))
    return "moves between cgroups in a run";
  return {};
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
  const std::string_view unheld = left_unheld(*lsm, spec);
  const bool needs_other =
      !unheld.empty() && spec.tables->profiles[spec.profile].ns_visitors == HF_VISITORS_ALLOW;
  std::string passed_over = "lsm: it does not decide about " + std::string(unheld);
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
