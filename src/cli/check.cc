// SPDX-License-Identifier: Apache-2.0
// `holdfast check`: validates policy files, and shows how strongly each backend would enforce them
// here.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "backend/backend.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/load_policy.h"
#include "events/event_text.h"
#include "policy/enum_names.h"
#include "policy/schema.h"
#include "policy/stated.h"
#include "run/delegation.h"

namespace holdfast::cli {
namespace {

using backend::Strength;
using policy::StatedRule;
using Json = nlohmann::ordered_json;

struct Column {
  std::unique_ptr<backend::Backend> backend;
  std::string unavailable;  // why the backend cannot be used here; empty: it can
  std::vector<backend::Promise> promises;

  [[nodiscard]] const backend::Promise* promise(std::string_view kind) const {
    const auto at = std::find_if(
        promises.begin(), promises.end(),
        [&](const backend::Promise& promise) { return backend::to_string(promise.kind) == kind; });
    return at == promises.end() ? nullptr : &*at;
  }

  [[nodiscard]] Strength strength(std::string_view kind) const {
    const backend::Promise* found = promise(kind);
    return found == nullptr || !unavailable.empty() ? Strength::none : found->strength;
  }
};

std::vector<Column> backends() {
  std::vector<Column> columns;
  columns.push_back({backend::make_lsm_backend(), "", {}});
  columns.push_back({backend::make_supervisor_backend(), "", {}});
  for (Column& column : columns) {
    const auto available = column.backend->available();
    if (!available) column.unavailable = available.error().message();
    column.promises = column.backend->promises();
  }
  return columns;
}

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

void print_table(const std::vector<Column>& columns, const std::set<std::string_view>& kinds) {
  fmt::print("\n{:<22}", "");
  for (const Column& column : columns) fmt::print("{:<13}", column.backend->name());
  fmt::print("\n");
  for (const std::string_view kind : kinds) {
    fmt::print("{:<22}", kind);
    for (const Column& column : columns)
      fmt::print("{:<13}", backend::to_string(column.strength(kind)));
    fmt::print("\n");
  }
}

void print_reasons(const std::vector<Column>& columns, const std::set<std::string_view>& kinds) {
  for (const Column& column : columns) {
    fmt::print("\n");
    if (!column.unavailable.empty()) {
      fmt::print("{}: cannot be used here: {}\n", column.backend->name(), column.unavailable);
      continue;
    }
    fmt::print("{}: can be used here\n", column.backend->name());
    for (const std::string_view kind : kinds) {
      const backend::Promise* promise = column.promise(kind);
      if (promise != nullptr && !promise->why.empty()) fmt::print("  {}: {}\n", kind, promise->why);
    }
  }
}

void print_unenforced(const std::vector<Column>& columns, const std::vector<StatedRule>& rules) {
  bool any = false;
  for (const StatedRule& rule : rules) {
    const bool held = std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
      return column.strength(rule.kind) != Strength::none;
    });
    if (held) continue;
    if (!any) fmt::print("\nNo backend enforces these here:\n");
    any = true;
    fmt::print("  {} {} = {}{}\n", escape(rule.where.place()), rule.key, escape(rule.text),
               rule.kind == "trace" ? " (tracing)" : "");
  }
}

void print_strength(const policy::Compiled& compiled) {
  const auto rules = policy::stated_rules(compiled);
  if (rules.empty()) {
    fmt::print("\nThe policy restricts nothing.\n");
    return;
  }
  std::set<std::string_view> kinds;
  for (const StatedRule& rule : rules) kinds.insert(rule.kind);
  const std::vector<Column> columns = backends();
  print_table(columns, kinds);
  print_reasons(columns, kinds);
  print_unenforced(columns, rules);
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

Json strength_json(const policy::Compiled& compiled) {
  std::set<std::string_view> kinds;
  for (const StatedRule& rule : policy::stated_rules(compiled)) kinds.insert(rule.kind);
  Json json = Json::array();
  for (const Column& column : backends()) {
    Json rules = Json::object();
    for (const std::string_view kind : kinds)
      rules[std::string(kind)] = backend::to_string(column.strength(kind));
    json.push_back({{"backend", column.backend->name()},
                    {"usable", column.unavailable.empty()},
                    {"why", column.unavailable},
                    {"strength", std::move(rules)}});
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
