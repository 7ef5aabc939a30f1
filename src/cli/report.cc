// SPDX-License-Identifier: Apache-2.0
// `holdfast report`: writes a report about recorded events as one HTML file.
#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "base/reason.h"
#include "cli/commands.h"
#include "cli/deciding_policy.h"
#include "cli/load_policy.h"
#include "cli/read_events.h"
#include "cli/strength.h"
#include "kernel/files/atomic_file.h"
#include "policy/policy_text.h"
#include "report/collect.h"
#include "report/html.h"

namespace holdfast::cli {
namespace {

constexpr unsigned kReportMode = 0644;

int complain(int status, std::string_view text) {
  fmt::print(stderr, "holdfast report: {}\n", text);
  return status;
}

// The policy that is shown, and where it comes from.
struct Shown {
  std::optional<policy::ReadPolicy> policy;  // empty: it is not known
  std::string from;
};

// That of the last decision.
Shown recorded_policy_of(const report::Collected& events, const std::string& path) {
  if (events.last_line.empty()) return {{}, "the events do not name it; give it with --policy"};
  const auto deciding = deciding_policy(events.last_line, events.policies, path);
  if (!deciding) return {{}, reason_of(deciding.error())};
  auto read = policy::read_policy(deciding->text);
  if (!read.compiled) return {{}, "this version of holdfast cannot read it"};
  return {std::move(read), deciding->from};
}

report::StrengthTable strengths(const policy::Compiled& policy) {
  report::StrengthTable table;
  const auto rules = policy::stated_rules(policy);
  const std::vector<Column> columns = columns_here();
  for (const Column& column : columns) table.columns.emplace_back(column.title);
  for (std::size_t i = 0; i < backend::kRuleKindCount; i++) {
    const auto kind = static_cast<backend::RuleKind>(i);
    report::StrengthTable::Row row{std::string(backend::to_string(kind)), {}};
    bool any = false;
    for (const Column& column : columns) {
      const auto promise = weakest(column, policy, rules, kind);
      any = any || promise;
      row.cells.push_back(
          promise ? report::StrengthTable::Cell{std::string(backend::to_string(promise->strength)),
                                                promise->why}
                  : report::StrengthTable::Cell{});
    }
    if (any) table.rows.push_back(std::move(row));
  }
  return table;
}

// Standard output for "-". A file that exists and is no regular file, such as a pipe, is written to.
int write(const std::string& path, const std::string& html) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  const bool is_stream =
      path == "-" || (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status));
  if (!is_stream) {
    const auto written = kernel::replace_file(path, html, kReportMode);
    return written ? kExitOk : complain(kExitFailed, written.error().message());
  }
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  if (file == nullptr) return complain(kExitFailed, fmt::format("cannot open {}", escape(path)));
  const bool whole =
      std::fwrite(html.data(), 1, html.size(), file) == html.size() && std::fflush(file) == 0;
  if (file != stdout) std::fclose(file);
  return whole ? kExitOk : complain(kExitFailed, fmt::format("cannot write {}", escape(path)));
}

}  // namespace

int report(const ReportOptions& options) {
  Shown shown;
  if (!options.policies.empty()) {
    auto sources = read_policy_files(options.policies);
    if (sources.empty()) return kExitUsage;
    shown.policy = policy::read_policy({std::move(sources), {}});
    for (const policy::Diagnostic& diagnostic : shown.policy->diagnostics)
      fmt::print(stderr, "{}", policy::render(diagnostic));
    if (!shown.policy->compiled) return kExitUsage;
    shown.from = "the files of --policy";
  }
  const auto events = [&] {
    Progress progress("report", options.progress);
    return read_events(options.events, progress, report::collect);
  }();
  if (!events) return complain(kExitUsage, events.error().message());
  if (!shown.policy) shown = recorded_policy_of(*events, options.events);
  report::Input input{options.events, *events, nullptr, nullptr, shown.from, {}};
  if (shown.policy) {
    input.model = &shown.policy->model;
    input.policy = shown.policy->compiled.get();
    input.strengths = strengths(*shown.policy->compiled);
  }
  return write(options.html, report::html_report(input));
}

}  // namespace holdfast::cli
