// SPDX-License-Identifier: Apache-2.0
// `holdfast check`: validates policy files, and shows how strongly a run with each backend and
// holdfastd would enforce them here.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "backend/backend.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/load_policy.h"
#include "cli/strength.h"
#include "events/event_text.h"
#include "policy/enum_names.h"
#include "policy/schema.h"
#include "policy/stated.h"
#include "run/delegation.h"

namespace holdfast::cli {
namespace {

using backend::Promise;
using backend::RuleKind;
using backend::Strength;
using policy::StatedRule;
using Json = nlohmann::ordered_json;

std::string members_of(const policy::Compiled& compiled, std::uint16_t profile) {
  std::string text;
  auto append = [&](std::string_view what) {
    text += (text.empty() ? "" : ", ") + std::string(what);
  };
  for (const policy::Binding& binding : compiled.bindings) {
    if (binding.profile == profile) append(escape(binding.cgroup));
  }
  for (const policy::Mark& mark : compiled.marks) {
    if (mark.profile == profile) append("mark " + escape(mark.name));
  }
  const policy::AskedBy& asked_by = compiled.asked_by[profile];
  if (asked_by.any || !asked_by.runtimes.empty()) append("containers that ask for it");
  return text.empty() ? "commands of holdfast run" : text;
}

void print_summary(const policy::Compiled& compiled) {
  for (std::size_t i = 1; i < compiled.profiles.size(); i++) {
    const auto number = static_cast<std::uint16_t>(i);
    const std::size_t rules = policy::stated_rules(compiled, number).size();
    std::size_t trace = 0;
    for (const StatedRule& rule : policy::stated_rules(compiled, number))
      trace += rule.kind == "trace";
    fmt::print("profile {}: {}, {} {}, members: {}\n", compiled.profiles[i],
               policy::name_of(policy::kModeNames, compiled.tables->profiles[i].mode),
               rules - trace, rules - trace == 1 ? "restriction" : "restrictions",
               members_of(compiled, number));
    const hf_profile& profile = compiled.tables->profiles[i];
    const bool confined = profile.bpf_attach_to == HF_ATTACH_OWN_CGROUP;
    for (const std::string& warning : run::delegation_warnings(profile))
      fmt::print("  warning: bpf.delegate: {}{}\n", confined ? "without the lsm backend: " : "",
                 warning);
  }
}

// The reasons below the table, each once.
class Footnotes {
 public:
  // The number of the note that has this text, from 1 on.
  std::size_t number(const std::string& text) {
    const auto at = std::ranges::find(texts_, text);
    const auto number = static_cast<std::size_t>(at - texts_.begin()) + 1;
    if (at == texts_.end()) texts_.push_back(text);
    return number;
  }

  void print() const {
    if (!texts_.empty()) fmt::print("\n");
    for (std::size_t i = 0; i < texts_.size(); i++) fmt::print("[{}] {}\n", i + 1, texts_[i]);
  }

 private:
  std::vector<std::string> texts_;
};

void print_table(const std::vector<Column>& columns, const policy::Compiled& policy,
                 const std::vector<StatedRule>& rules) {
  std::string text = fmt::format("{:<22}", "");
  const auto end_line = [&] {
    fmt::print("{}\n", text.substr(0, text.find_last_not_of(' ') + 1));
    text.clear();
  };
  fmt::print("\n");
  for (const Column& column : columns) text += fmt::format("{:<17}", column.title);
  end_line();
  Footnotes notes;
  for (std::size_t i = 0; i < backend::kRuleKindCount; i++) {
    const auto kind = static_cast<RuleKind>(i);
    for (const Column& column : columns) {
      const auto promise = weakest(column, policy, rules, kind);
      if (!promise) continue;
      if (text.empty()) text = fmt::format("{:<22}", backend::to_string(kind));
      std::string cell(backend::to_string(promise->strength));
      if (!promise->why.empty()) cell += fmt::format(" [{}]", notes.number(promise->why));
      text += fmt::format("{:<17}", cell);
    }
    if (!text.empty()) end_line();
  }
  notes.print();
}

void print_unenforced(const std::vector<Column>& columns, const policy::Compiled& policy,
                      const std::vector<StatedRule>& rules) {
  bool any = false;
  for (const StatedRule& rule : rules) {
    const bool held = std::ranges::any_of(columns, [&](const Column& column) {
      return column.promise(policy, rule).strength != Strength::none;
    });
    if (held) continue;
    if (!any) fmt::print("\nNothing enforces these here:\n");
    any = true;
    fmt::print("  {} {} = {}{}\n", escape(rule.where.place()), rule.key, escape(rule.text),
               rule.kind == backend::to_string(RuleKind::trace) ? " (tracing)" : "");
  }
}

void print_strength(const policy::Compiled& compiled) {
  const auto rules = policy::stated_rules(compiled);
  if (rules.empty()) {
    fmt::print("\nThe policy restricts nothing.\n");
    return;
  }
  const std::vector<Column> columns = columns_here();
  print_table(columns, compiled, rules);
  print_unenforced(columns, compiled, rules);
}

Json profile_json(const policy::Compiled& compiled, std::uint16_t number) {
  const hf_profile& profile = compiled.tables->profiles[number];
  Json json = {{"name", compiled.profiles[number]},
               {"mode", policy::name_of(policy::kModeNames, profile.mode)},
               {"restrictions", Json::array()},
               {"cgroups", Json::array()},
               {"marks", Json::array()},
               {"warnings", run::delegation_warnings(profile)}};
  for (const StatedRule& rule : policy::stated_rules(compiled, number))
    json["restrictions"].push_back({{"kind", rule.kind},
                                    {"key", rule.key},
                                    {"text", rule.text},
                                    {"file", rule.where.file},
                                    {"line", rule.where.line}});
  for (const policy::Binding& binding : compiled.bindings)
    if (binding.profile == number) json["cgroups"].push_back(binding.cgroup);
  for (const policy::Mark& mark : compiled.marks)
    if (mark.profile == number) json["marks"].push_back(mark.name);
  return json;
}

// Of the rules of a kind the weakest promise counts.
Json strength_json(const policy::Compiled& compiled) {
  const std::vector<StatedRule> rules = policy::stated_rules(compiled);
  Json json = Json::array();
  for (const Column& column : columns_here()) {
    Json by_kind = Json::object();
    for (std::size_t i = 0; i < backend::kRuleKindCount; i++)
      if (const auto promise = weakest(column, compiled, rules, static_cast<RuleKind>(i)))
        by_kind[std::string(backend::to_string(promise->kind))] =
            backend::to_string(promise->strength);
    json.push_back({{"backend", column.title},
                    {"usable", column.unavailable.empty()},
                    {"why", column.unavailable},
                    {"strength", std::move(by_kind)}});
  }
  return json;
}

int check_as_json(const CheckOptions& options) {
  const auto sources = read_policy_files(options.files);
  if (sources.empty()) return kExitUsage;
  const policy::LoadResult loaded = policy::load(sources);
  Json json = {{"valid", loaded.policy != nullptr},
               {"mistakes", Json::array()},
               {"profiles", Json::array()}};
  for (const policy::Diagnostic& one : loaded.diagnostics)
    json["mistakes"].push_back({{"file", one.where.file},
                                {"line", one.where.line},
                                {"column", one.where.column},
                                {"message", one.message},
                                {"hint", one.hint}});
  if (loaded.policy) {
    for (std::uint16_t i = 1; i < loaded.policy->profiles.size(); i++)
      json["profiles"].push_back(profile_json(*loaded.policy, i));
    if (options.strength) json["strength"] = strength_json(*loaded.policy);
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  return loaded.policy ? kExitOk : kExitUsage;
}

}  // namespace

int check(const CheckOptions& options) {
  if (options.schema) {
    fmt::print("{}", policy::policy_schema());
    return kExitOk;
  }
  if (options.json) return check_as_json(options);
  const auto compiled = load_policy(options.files);
  if (compiled == nullptr) return kExitUsage;
  print_summary(*compiled);
  if (options.strength) print_strength(*compiled);
  return kExitOk;
}

}  // namespace holdfast::cli
