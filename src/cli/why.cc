// SPDX-License-Identifier: Apache-2.0
// holdfast why: explains a request, or an event of `run --events`.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "cli/commands.h"
#include "cli/load_policy.h"
#include "policy/compile.h"
#include "policy/event_file.h"
#include "policy/event_json.h"
#include "policy/event_text.h"
#include "policy/parse.h"
#include "policy/refusal.h"
#include "policy/request.h"
#include "policy/why.h"

namespace holdfast::cli {
namespace {

struct Policy {
  policy::Model model;
  std::unique_ptr<const policy::Compiled> compiled;
};

std::optional<Policy> load_model(const std::vector<std::string>& files) {
  const auto sources = read_policy_files(files);
  if (sources.empty()) return std::nullopt;
  policy::ParseResult parsed = policy::parse(sources);
  for (const policy::Diagnostic& diagnostic : parsed.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!parsed.diagnostics.empty()) return std::nullopt;
  Policy policy;
  policy.compiled = policy::compile(parsed.model);
  policy.model = std::move(parsed.model);
  return policy;
}

int usage(std::string_view text) {
  fmt::print(stderr, "holdfast why: {}\n", text);
  return kExitUsage;
}

std::optional<std::uint64_t> event_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

int explain_refusal(std::string_view line) {
  const auto event = policy::refusal_from_json(line);
  if (!event) return usage(event.error().message());
  fmt::print("{}\n\n{}", policy::refusal_text(*event, policy::Colour::off),
             policy::explain_refusal(*event));
  return kExitOk;
}

int explain_event(std::uint64_t id, const WhyOptions& options,
                  const std::vector<std::string>& lines) {
  std::string_view found;
  for (const std::string& line : lines) {
    if (policy::event_id(line) == id) found = line;
  }
  if (found.empty()) return usage(fmt::format("{} holds no event {}", options.events, id));
  if (policy::is_refusal(found)) return explain_refusal(found);
  std::vector<std::string> files = options.policies;
  if (files.empty()) {
    if (const std::string file = policy::event_policy_file(found); !file.empty())
      files.push_back(file);
  }
  if (files.empty()) return usage("the event names no policy file: add --policy FILE");
  const auto policy = load_model(files);
  if (!policy) return kExitUsage;
  const auto event = policy::event_from_json(found, *policy->compiled);
  if (!event) return usage(event.error().message());
  fmt::print("{}\n\n", policy::event_text(*event, *policy->compiled, policy::Colour::off));
  fmt::print("{}", policy::explain(policy->model, *policy->compiled, event->request));
  return kExitOk;
}

int explain_request(const WhyOptions& options) {
  if (options.policies.empty()) return usage("a request needs a policy: --policy FILE");
  const auto policy = load_model(options.policies);
  if (!policy) return kExitUsage;
  const auto request = policy::parse_request(options.request, *policy->compiled);
  if (!request) return usage(request.error().detail);
  fmt::print("{}", policy::explain(policy->model, *policy->compiled, *request));
  return kExitOk;
}

}  // namespace

int why(const WhyOptions& options) {
  const auto id = event_id(options.request);
  if (!id) return explain_request(options);
  const auto lines = policy::read_event_lines(options.events, policy::EventLines::all);
  if (!lines)
    return usage(lines.error().message() + " (an event's id needs a file: --events FILE)");
  return explain_event(*id, options, *lines);
}

}  // namespace holdfast::cli
