// SPDX-License-Identifier: Apache-2.0
// The help of commands, in 80 columns, and messages about mistakes on the command line.
#ifndef HOLDFAST_CLI_HELP_H
#define HOLDFAST_CLI_HELP_H

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace holdfast::cli {

inline constexpr std::size_t kHelpColumns = 80;

// Prints groups of commands, arguments, options, and the footer with its examples.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

// "holdfast hooks load" for a command.
[[nodiscard]] std::string full_name(const CLI::App& app);

// The command that `words` name, as far as they do: the words after the program's name.
struct Named {
  CLI::App* app = nullptr;        // the deepest command that is named
  std::string unknown;            // the first word that should name a command and does not
  std::vector<std::string> rest;  // the words after the command
};
[[nodiscard]] Named named_command(CLI::App& app, const std::vector<std::string>& words);

// What is wrong with a command line that could not be parsed: one sentence with a suggestion, and
// where the help is. Ends in a newline.
[[nodiscard]] std::string mistake_text(CLI::App& app, const std::vector<std::string>& words,
                                       const CLI::ParseError& error);

// The name of an option that a word spells, without its value: "--policy" of "--policy=x".
[[nodiscard]] std::string option_name(const std::string& word);

// The words of a type that lists them: "NAME:{auto,lsm}" gives auto and lsm.
[[nodiscard]] std::vector<std::string> listed_values(const CLI::Option& option);
// The type without such a list: "NAME".
[[nodiscard]] std::string value_name(const CLI::Option& option);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_HELP_H
