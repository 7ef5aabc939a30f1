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

}  // namespace

backend::LabelWords label_words(const policy::Compiled& policy, std::uint16_t profile) {
  return {policy.label_names, policy.label_values, policy.label_rights[profile].set};
}

Result<Attached> attach(std::string_view wanted, const backend::SessionSpec& spec) {
  if (wanted == "lsm") return attach_one(backend::make_lsm_backend(), spec);
  if (wanted == "supervisor") return attach_one(backend::make_supervisor_backend(), spec);
  auto strongest = attach_one(backend::make_lsm_backend(), spec);
  if (strongest) return strongest;
  const std::string passed_over = "lsm: " + strongest.error().message();
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
