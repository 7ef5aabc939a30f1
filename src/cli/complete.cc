// SPDX-License-Identifier: Apache-2.0
#include "cli/complete.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "cli/find_policy.h"
#include "cli/help.h"
#include "policy/enum_names.h"
#include "policy/parse.h"

namespace holdfast::cli {
namespace {

// What is known of the command line before the word.
struct Before {
  CLI::App* app = nullptr;
  const CLI::Option* value_of = nullptr;  // the word is the value of this option
  std::vector<std::string> policies;      // of -p
  std::size_t arguments = 0;
  bool only_arguments = false;  // after "--"
};

Before read(CLI::App& app, const std::vector<std::string>& words) {
  const Named named = named_command(app, {words.begin(), words.end() - 1});
  Before before{named.app, nullptr, {}, 0, false};
  for (const std::string& word : named.rest) {
    if (before.value_of != nullptr) {
      if (before.value_of->check_lname("policy")) before.policies.push_back(word);
      before.value_of = nullptr;
    } else if (before.only_arguments || !word.starts_with('-') || word == "-") {
      before.arguments++;
    } else if (word == "--") {
      before.only_arguments = true;
    } else {
      const CLI::Option* option = before.app->get_option_no_throw(option_name(word));
      if (option != nullptr && option->get_type_size() != 0 && word.find('=') == std::string::npos)
        before.value_of = option;
    }
  }
  return before;
}

void add_profiles(const std::vector<std::string>& policies, std::set<std::string>& words) {
  std::vector<policy::Source> sources;
  for (const std::string& policy : policies) {
    const auto path = find_policy(policy);
    if (!path) continue;
    if (auto source = policy::read_source(*path)) sources.push_back(*std::move(source));
  }
  if (policies.empty())
    if (auto machine = machine_sources({})) sources = *std::move(machine);
  for (const policy::Profile& profile : policy::parse(sources).model.profiles)
    words.insert(profile.name);
}

void add_policy_names(std::set<std::string>& words) {
  for (const std::string& name : known_policy_names()) words.insert(name);
  if (const auto units = policy_dirs::read_units({}))
    for (const policy_dirs::PolicyUnit& unit : *units)
      words.insert(unit.name.substr(0, unit.name.size() - 5));
}

void add_processes(std::set<std::string>& words) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at("/proc", failed);
       !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) words.insert(name);
  }
}

// "FILE|NAME" -> FILE, NAME
std::vector<std::string> parts(std::string_view kind) {
  std::vector<std::string> found;
  while (!kind.empty()) {
    const std::size_t end = std::min(kind.find('|'), kind.size());
    found.emplace_back(kind.substr(0, end));
    kind.remove_prefix(std::min(end + 1, kind.size()));
  }
  return found;
}

// The values of an option or an argument.
std::set<std::string> values(const CLI::Option& option, const Before& before) {
  std::set<std::string> words;
  for (const std::string& value : listed_values(option)) words.insert(value);
  const std::vector<std::string> kinds = parts(value_name(option));
  const auto has = [&](std::string_view kind) {
    return std::ranges::find(kinds, kind) != kinds.end();
  };
  if (has("PROFILE")) add_profiles(before.policies, words);
  if (has("POLICY") || option.check_lname("policy")) add_policy_names(words);
  if (has("PID")) add_processes(words);
  if (has("COMMAND"))
    for (const CLI::App* sub : before.app->get_parent()->get_subcommands(
             [](const CLI::App* one) { return !one->get_group().empty(); }))
      words.insert(sub->get_name());
  for (const char* file : {"FILE", "PATH", "EVENTS", "OBJ"})
    if (has(file)) words.insert(":files");
  for (const char* directory : {"DIR", "MOUNT"})
    if (has(directory)) words.insert(":directories");
  return words;
}

// A list of types of namespaces goes on after its last comma.
std::set<std::string> types(const std::string& word) {
  std::set<std::string> words;
  const std::string before = word.substr(0, word.rfind(',') + 1);
  for (const policy::Name& name : policy::kNsTypeNames)
    words.insert(before + std::string(name.text));
  if (before.empty()) words.insert("all");
  return words;
}

std::string lines(const std::set<std::string>& words, const std::string& word) {
  std::string text;
  for (const std::string& one : words)
    if (one.starts_with(':') || one.starts_with(word)) text += one + "\n";
  return text;
}

std::string of_option(const CLI::Option& option, const std::string& word, const Before& before) {
  if (option.check_lname("unshare")) return lines(types(word), word);
  return lines(values(option, before), word);
}

std::string first_sentence(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string options(const CLI::App& app, const std::string& word) {
  std::string text;
  for (const CLI::Option* option :
       app.get_options([](const CLI::Option* one) { return !one->get_group().empty(); }))
    for (const std::string& name : option->get_lnames())
      if (("--" + name).starts_with(word))
        text += "--" + name + "\t" + first_sentence(option->get_description()) + "\n";
  return text;
}

std::string commands(const CLI::App& app, const std::string& word) {
  std::string text;
  for (const CLI::App* sub :
       app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    if (sub->get_name().starts_with(word))
      text += sub->get_name() + "\t" + first_sentence(sub->get_description()) + "\n";
  return text;
}

}  // namespace

std::string completions(CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) return "";
  const std::string& word = words.back();
  const Before before = read(app, words);
  if (before.value_of != nullptr) return of_option(*before.value_of, word, before);
  const std::size_t equals = word.find('=');
  if (!before.only_arguments && word.starts_with("--") && equals != std::string::npos) {
    const CLI::Option* option = before.app->get_option_no_throw(option_name(word));
    return option == nullptr ? "" : of_option(*option, word.substr(equals + 1), before);
  }
  // In `run`, what follows is another program's command line.
  if (before.app->get_name() == "run" && (before.arguments > 0 || before.only_arguments))
    return ":commands\n";
  if (!before.only_arguments && word.starts_with('-')) return options(*before.app, word);
  if (const std::string names = commands(*before.app, word); !names.empty()) return names;
  const auto arguments =
      before.app->get_options([](const CLI::Option* option) { return option->get_positional(); });
  if (arguments.empty()) return "";
  const CLI::Option* argument = arguments[std::min(before.arguments, arguments.size() - 1)];
  if (before.arguments >= arguments.size() && argument->get_expected_max() <= 1) return "";
  if (before.app->get_name() == "run") return ":commands\n";
  return lines(values(*argument, before), word);
}

}  // namespace holdfast::cli
