// SPDX-License-Identifier: Apache-2.0
// Completes command lines for shells: `holdfast __complete WORD...`, which the scripts in
// packaging/completions call. The last word is the one to complete, and may be empty.
#ifndef HOLDFAST_CLI_COMPLETE_H
#define HOLDFAST_CLI_COMPLETE_H

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace holdfast::cli {

inline constexpr char kCompleteArgument[] = "__complete";

// One candidate a line, with a tab and its meaning where it has one. The lines ":files",
// ":directories" and ":commands" ask the shell for more: file names, names of directories, and a
// command line of its own.
[[nodiscard]] std::string completions(CLI::App& app, const std::vector<std::string>& words);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_COMPLETE_H
