// SPDX-License-Identifier: Apache-2.0
// Compiles a checked model to tables.
#ifndef HOLDFAST_POLICY_COMPILE_H
#define HOLDFAST_POLICY_COMPILE_H

#include <memory>

#include "policy/model.h"

namespace holdfast::policy {

// Precondition: check_model() found no error in `model`. Equal models give equal bytes. `digest` is
// the text_digest() of the text of the model; 0: there is no text.
[[nodiscard]] std::unique_ptr<const Compiled> compile(const Model& model, std::uint64_t digest = 0);

// Sets the mode (HF_MODE_*) of every profile, and updates the fields that depend on modes.
void set_mode(hf_tables& tables, std::uint8_t mode);
// Sets the mode of one profile. Precondition: the tables have that profile.
void set_profile_mode(hf_tables& tables, std::uint16_t profile, std::uint8_t mode);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_COMPILE_H
