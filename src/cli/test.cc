// SPDX-License-Identifier: Apache-2.0
// `holdfast test`: runs the tests of a policy.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/find_policy.h"
#include "cli/load_policy.h"
#include "explain/policy_test.h"
#include "policy/policy_text.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::TestOutcome;
using policy::TestReport;

// The file of tests beside each policy file, where it exists and was not named itself.
std::vector<std::string> with_tests_beside(const std::vector<std::string>& files) {
  constexpr std::string_view kEnding = ".toml";
  std::vector<std::string> all = files;
  for (const std::string& file : files) {
    const auto path = find_policy(file);
    if (!path || !path->ends_with(kEnding)) continue;
    const std::string beside = path->substr(0, path->size() - kEnding.size()) + ".test.toml";
    std::error_code failed;
    if (std::filesystem::is_regular_file(beside, failed) &&
        std::ranges::find(all, beside) == all.end())
      all.push_back(beside);
  }
  return all;
}

// Empty: an error was printed.
std::optional<std::vector<policy::Source>> sources_of(const TestOptions& options) {
  if (!options.files.empty()) {
    auto sources = read_policy_files(with_tests_beside(options.files), options.dirs);
    if (sources.empty()) return std::nullopt;
    return sources;
  }
  auto sources = machine_sources(policy_dirs_of(options.dirs));
  if (sources) return *std::move(sources);
  fmt::print(stderr, "holdfast test: {}\n", sources.error().message());
  return std::nullopt;
}

void print_outcomes(const TestReport& report, bool all) {
  for (const TestOutcome& one : report.outcomes) {
    if (one.passed && !all) continue;
    fmt::print("{}  {}  {}{}{}\n", one.passed ? "ok  " : "FAIL", escape(one.where.place()),
               escape(one.name), one.name.empty() ? "" : ": ", escape(one.request));
    if (!one.passed) fmt::print("      {}\n", escape(one.mistake));
  }
}

void print_unreached(const TestReport& report) {
  if (report.unreached.empty()) return;
  fmt::print("no test reaches {} of {} rules:\n", report.unreached.size(), report.rules);
  for (const policy::Rule& rule : report.unreached)
    fmt::print("      {}  [profile.{}] {} = {}\n", escape(rule.where.place()), rule.profile,
               rule.key, escape(rule.text));
}

Json rule_json(const policy::Rule& rule) {
  if (rule.where.file.empty()) return {};
  return {{"file", rule.where.file}, {"line", rule.where.line}, {"column", rule.where.column},
          {"profile", rule.profile}, {"key", rule.key},         {"text", rule.text}};
}

std::string json_text(const TestReport& report) {
  Json json = {{"tests", Json::array()}, {"rules", report.rules}, {"unreached", Json::array()}};
  for (const TestOutcome& one : report.outcomes)
    json["tests"].push_back({{"file", one.where.file},
                             {"line", one.where.line},
                             {"name", one.name},
                             {"request", one.request},
                             {"passed", one.passed},
                             {"mistake", one.mistake},
                             {"decided", rule_json(one.decided)}});
  for (const policy::Rule& rule : report.unreached) json["unreached"].push_back(rule_json(rule));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

int test(const TestOptions& options) {
  const auto sources = sources_of(options);
  if (!sources) return kExitUsage;
  const policy::ReadPolicy policy = policy::read_policy({*sources, {}});
  for (const policy::Diagnostic& diagnostic : policy.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!policy.compiled) return kExitUsage;
  const TestReport report = policy::run_policy_tests(policy.model, *policy.compiled);
  const auto failed = std::ranges::count(report.outcomes, false, &TestOutcome::passed);
  const bool broken = std::ranges::any_of(report.outcomes, &TestOutcome::broken);
  if (options.json) {
    fmt::print("{}\n", json_text(report));
  } else {
    print_outcomes(report, options.verbose);
    print_unreached(report);
    fmt::print("{} {}, {} failed\n", report.outcomes.size(),
               report.outcomes.size() == 1 ? "test" : "tests", failed);
  }
  if (report.outcomes.empty()) {
    fmt::print(stderr,
               "holdfast test: there are no tests: a policy file states them as [[test]]\n");
    return kExitFailed;
  }
  if (broken) return kExitUsage;
  return failed > 0 || (options.all_rules && !report.unreached.empty()) ? kExitFailed : kExitOk;
}

}  // namespace holdfast::cli
