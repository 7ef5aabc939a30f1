// SPDX-License-Identifier: Apache-2.0
// Delegation sets as users write them, and what to say when they are wrong.
#ifndef HOLDFAST_CLI_DELEGATION_SET_H
#define HOLDFAST_CLI_DELEGATION_SET_H

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "delegate/set.h"

namespace holdfast::cli {

// One line on standard error.
void complain(std::string_view message);

// Says what went wrong; the exit status: 77 when it cannot be done on this kernel.
int fail(const Error& error);

struct SetText {
  delegate::Kind kind;
  std::string option;  // how to call it in a message: "--commands"
  std::string text;
};

// What was given; `prefix` stands before commands, maps, programs and attachments in messages.
std::vector<SetText> given(const DelegateSetOptions& options, std::string_view prefix);

enum class Surprises { kTell, kRefuse };

// The set, or the exit status of a mistake that has been told.
struct SetOrStatus {
  delegate::Set set;
  int status = kExitOk;
};

SetOrStatus read_set(const std::vector<SetText>& texts, const delegate::Vocabulary& vocabulary,
                     Surprises surprises);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DELEGATION_SET_H
