// SPDX-License-Identifier: Apache-2.0
// From a checked model to tables.
#ifndef HOLDFAST_POLICY_COMPILE_H
#define HOLDFAST_POLICY_COMPILE_H

#include <memory>

#include "policy/model.h"

namespace holdfast::policy {

// Precondition: check_model() found no mistake in `model`. The same model gives the same bytes.
// `digest`: text_digest() of what the model was read from; 0: of no text.
[[nodiscard]] std::unique_ptr<const Compiled> compile(const Model& model, std::uint64_t digest = 0);

// Gives every profile that mode (HF_MODE_*), and corrects what tables derive from modes.
void set_mode(hf_tables& tables, std::uint8_t mode);
// The same for one profile. Precondition: the tables have it.
void set_profile_mode(hf_tables& tables, std::uint16_t profile, std::uint8_t mode);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_COMPILE_H
