// SPDX-License-Identifier: Apache-2.0
// Parses delegation sets as users write them, and prints errors.
#ifndef HOLDFAST_CLI_DELEGATION_SET_H
#define HOLDFAST_CLI_DELEGATION_SET_H

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "delegate/set.h"

namespace holdfast::cli {

// Prints one line to standard error.
void complain(std::string_view message);
// From now on messages name this command, in place of "holdfast delegate". `name` is a literal.
void complain_as(std::string_view name);

// Prints the error and returns the exit status: 77 for ENOSYS (this kernel cannot do it), else 1.
int fail(const Error& error);

struct SetText {
  delegate::Kind kind;
  std::string option;  // its name in messages: "--commands"
  std::string text;
};

// The options that are not empty. `prefix` precedes their names in messages.
std::vector<SetText> given(const DelegateSetOptions& options, std::string_view prefix);

// A set can contain less than its text seems to (delegate::parse()). kTell: print that. kRefuse: it
// is an error.
enum class Surprises { kTell, kRefuse };

// The set, or the exit status of an error that was printed.
struct SetOrStatus {
  delegate::Set set;
  int status = kExitOk;
};

SetOrStatus read_set(const std::vector<SetText>& texts, const delegate::Vocabulary& vocabulary,
                     Surprises surprises);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DELEGATION_SET_H
