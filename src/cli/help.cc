// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "policy/suggest.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kLeftColumns = 26;

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// `text` in lines of at most kHelpColumns, the first after `used` columns, the others after
// `indent` blanks.
std::string wrapped(std::string_view text, std::size_t used, std::size_t indent) {
  std::string out;
  std::size_t column = used;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first && column + 1 + width(word) > kHelpColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      column++;
    }
    out += word;
    column += width(word);
    first = false;
  }
  return out + "\n";
}

// A name and what it means.
std::string row(const std::string& left, const std::string& right) {
  std::string text = "  " + left;
  std::size_t used = width(text);
  if (used + 2 > kLeftColumns) {
    text += "\n";
    used = 0;
  }
  text += std::string(kLeftColumns - used, ' ');
  return text + wrapped(right, kLeftColumns, kLeftColumns);
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([positional](const CLI::Option* option) {
    return option->get_positional() == positional && !option->get_group().empty();
  });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands(
      [](const CLI::App* sub) { return !sub->get_name().empty() && !sub->get_group().empty(); });
}

std::string argument(const CLI::Option& option) {
  std::string text = value_name(option);
  if (text.empty()) text = option.get_name(true, false);
  if (option.get_expected_max() > 1) text += "...";
  return option.get_required() ? text : "[" + text + "]";
}

std::string usage(const CLI::App& app) {
  std::string text = "Usage: " + full_name(app);
  if (!commands_of(app).empty()) return text + " COMMAND [OPTION...] [ARGUMENT...]\n";
  if (!options_of(app, false).empty()) text += " [OPTION...]";
  if (app.get_name() == "run") text += " --";
  for (const CLI::Option* option : options_of(app, true)) text += " " + argument(*option);
  return text + "\n";
}

std::string option_row(const CLI::Option& option) {
  std::string left = option.get_name(false, true);
  if (const std::size_t comma = left.find(','); comma != std::string::npos)
    left.insert(comma + 1, " ");
  else
    left = "    " + left;
  if (option.get_type_size() != 0) left += " " + value_name(option);
  return row(left, option.get_description());
}

std::string commands(const CLI::App& app) {
  std::vector<std::string> groups;
  for (const CLI::App* sub : commands_of(app))
    if (std::ranges::find(groups, sub->get_group()) == groups.end())
      groups.push_back(sub->get_group());
  std::string text;
  for (const std::string& group : groups) {
    text += "\n" + group + ":\n";
    for (const CLI::App* sub : commands_of(app))
      if (sub->get_group() == group) text += row(sub->get_name(), sub->get_description());
  }
  return text;
}

// Wraps paragraphs. Lines that begin with a blank or have columns stay as they are.
std::string footer(std::string_view lines) {
  std::string text;
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) text += wrapped(paragraph, 0, 0);
    paragraph.clear();
  };
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const bool fixed = line.empty() || line.find("  ") != std::string_view::npos;
    if (fixed || paragraph.ends_with(':')) end_paragraph();
    if (fixed)
      text += std::string(line) + "\n";
    else
      paragraph += (paragraph.empty() ? "" : " ") + std::string(line);
  }
  end_paragraph();
  return text;
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : commands_of(app)) names.push_back(sub->get_name());
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  const std::string similar = policy::suggest(word, {names.begin(), names.end()});
  return similar.empty() ? "" : "; " + similar;
}

// The first word that looks like an option and is none of the command.
std::string unknown_option(const CLI::App& app, const std::vector<std::string>& rest) {
  for (std::size_t i = 0; i < rest.size(); i++) {
    if (rest[i] == "--") return "";
    if (!rest[i].starts_with('-') || rest[i] == "-") continue;
    const std::string name = option_name(rest[i]);
    const CLI::Option* option = app.get_option_no_throw(name);
    if (option == nullptr) return name;
    if (option->get_type_size() != 0 && rest[i].find('=') == std::string::npos) i++;
  }
  return "";
}

std::string option_mistake(const CLI::App& app, const std::string& unknown) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(app, false))
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return fmt::format("there is no option '{}'{}", unknown, suggestion(unknown, names));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// The arguments that are required and missing.
std::string missing_argument(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    if (option->get_required() && option->count() == 0)
      return option->get_positional() ? value_name(*option) : option->get_name(false, true);
  return "";
}

std::string mistake(const CLI::App& app, const Named& named, const CLI::ParseError& error) {
  if (!named.unknown.empty() && !named.unknown.starts_with('-'))
    return fmt::format("there is no command '{}'{}", named.unknown,
                       suggestion(named.unknown, names_of_commands(app)));
  if (const std::string option = unknown_option(app, named.rest); !option.empty())
    return option_mistake(app, option);
  if (!commands_of(app).empty()) return "a command is missing: " + joined(names_of_commands(app));
  if (const std::string what = missing_argument(app);
      !what.empty() && error.get_name() == "RequiredError")
    return what + " is missing";
  constexpr std::string_view kRequired = " is required";
  std::string text = error.what();
  if (text.ends_with(kRequired))
    text.replace(text.size() - kRequired.size(), kRequired.size(), " is missing");
  return text;
}

}  // namespace

std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::vector<std::string> listed_values(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find(":{");
  const std::size_t close = type.find('}', std::min(open, type.size()));
  std::vector<std::string> values;
  if (open == std::string::npos || close == std::string::npos) return values;
  std::string_view rest = std::string_view(type).substr(open + 2, close - open - 2);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    values.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return values;
}

std::string option_name(const std::string& word) { return word.substr(0, word.find('=')); }

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

Named named_command(CLI::App& app, const std::vector<std::string>& words) {
  Named named{&app, "", {}};
  std::size_t at = 0;
  for (; at < words.size(); at++) {
    if (commands_of(*named.app).empty()) break;
    CLI::App* sub = nullptr;
    for (CLI::App* one : named.app->get_subcommands([](CLI::App*) { return true; }))
      if (one->get_name() == words[at]) sub = one;
    if (sub == nullptr) {
      named.unknown = words[at];
      break;
    }
    named.app = sub;
  }
  named.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return named;
}

std::string mistake_text(CLI::App& app, const std::vector<std::string>& words,
                         const CLI::ParseError& error) {
  const Named named = named_command(app, words);
  const std::string name = full_name(*named.app);
  return fmt::format("{}: {}\n{}See {} --help.\n", name, mistake(*named.app, named, error),
                     usage(*named.app), name);
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string /*name*/,
                                     CLI::AppFormatMode /*mode*/) const {
  std::string text = wrapped(app->get_description(), 0, 0) + "\n" + usage(*app);
  const auto arguments = options_of(*app, true);
  if (!arguments.empty()) text += "\nArguments:\n";
  for (const CLI::Option* option : arguments)
    text += row(value_name(*option), option->get_description());
  text += commands(*app);
  const auto options = options_of(*app, false);
  if (!options.empty()) text += "\nOptions:\n";
  for (const CLI::Option* option : options) text += option_row(*option);
  if (!app->get_footer().empty()) text += "\n" + footer(app->get_footer());
  return text;
}

}  // namespace holdfast::cli
