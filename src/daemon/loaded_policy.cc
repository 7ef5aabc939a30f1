// SPDX-License-Identifier: Apache-2.0
#include "daemon/loaded_policy.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "daemon/unenforced.h"

namespace holdfast::daemon {

using policy::Diagnostic;

namespace {

constexpr std::string_view kNotEnforced = "not enforced: ";

}  // namespace

Result<LoadedPolicy> compile_sources(std::vector<policy::Source> sources) {
  policy::LoadResult loaded = policy::load(sources);
  if (loaded.policy) return LoadedPolicy{std::move(sources), std::move(loaded.policy)};
  return Error{0, "load policy", {}, mistakes_text(loaded.diagnostics)};
}

CheckedPolicy check_sources(const std::vector<policy::Source>& sources, Unenforced unenforced) {
  policy::LoadResult loaded = policy::load(sources);
  CheckedPolicy checked;
  checked.checked = {std::move(loaded.diagnostics), std::move(loaded.undefined)};
  checked.compiled = std::move(loaded.policy);
  if (!checked.compiled) return checked;
  auto& to = unenforced == Unenforced::refuse ? checked.checked.diagnostics : checked.unenforced;
  for (const UnenforcedRule& rule : unenforced_rules(*checked.compiled))
    to.push_back({rule.where, fmt::format("{}{} ({})", kNotEnforced, rule.text, rule.why), "", ""});
  return checked;
}

Result<CheckedFiles> check_files(const policy_dirs::PolicyDirs& dirs, Unenforced unenforced,
                                 const policy_dirs::Plan& plan) {
  CheckedFiles files;
  HF_TRY_ASSIGN(files.units, policy_dirs::read_units(dirs, plan));
  files.sources = policy_dirs::sources_of(files.units);
  files.mistakes = policy_dirs::refusals(files.units);
  CheckedPolicy checked = check_sources(files.sources, unenforced);
  std::ranges::move(checked.checked.diagnostics, std::back_inserter(files.mistakes));
  files.unenforced = std::move(checked.unenforced);
  if (files.mistakes.empty()) files.compiled = std::move(checked.compiled);
  return files;
}

std::string mistakes_text(const std::vector<Diagnostic>& mistakes) {
  std::string text;
  bool unenforced = false;
  for (const Diagnostic& mistake : mistakes) {
    text += policy::render(mistake);
    unenforced = unenforced || mistake.message.starts_with(kNotEnforced);
  }
  if (unenforced)
    text += "rules that would not be enforced are refused (--allow-unenforced accepts them)\n";
  return text;
}

}  // namespace holdfast::daemon
