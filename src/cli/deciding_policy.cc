// SPDX-License-Identifier: Apache-2.0
#include "cli/deciding_policy.h"

#include <fmt/core.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "events/event_text.h"
#include "events/recorded_event.h"
#include "policy/load.h"

namespace holdfast::cli {
namespace {

constexpr char kStateDirectory[] = "/var/lib/holdfast";
constexpr std::size_t kMaxGenerationBytes = std::size_t{1} << 30;

bool is_text(const policy::PolicyText& text, const std::string& digest) {
  return policy::digest_text(policy::text_digest(text.sources)) == digest;
}

// The directories to search for generations: that of the log, then holdfastd's. A log may come from
// another machine, whose generations have the same numbers. So a generation counts only if its
// digest is that of the event. Without a digest only the directory of the log counts.
std::vector<std::string> places(const std::string& path, const policy::EventOrigin& origin) {
  const std::size_t slash = path.rfind('/');
  const std::string beside =
      (slash == std::string::npos ? "." : path.substr(0, slash)) + "/generations";
  std::vector<std::string> found = {beside};
  const std::string kept = std::string(kStateDirectory) + "/generations";
  if (beside != kept && !origin.digest.empty()) found.push_back(kept);
  return found;
}

Result<std::optional<policy::PolicyText>> generation_in(const std::string& directory,
                                                        const policy::EventOrigin& origin) {
  const std::string path = fmt::format("{}/{}.json", directory, origin.generation);
  const auto json = policy::read_file(path, "read generation", kMaxGenerationBytes);
  if (!json && json.error().code == ENOENT) return std::optional<policy::PolicyText>();
  if (!json) return json.error();
  auto text = policy::generation_from_json(*json, origin.generation);
  if (text && (origin.digest.empty() || is_text(*text, origin.digest))) return text;
  return std::optional<policy::PolicyText>();
}

// Reads the file that contains the rule, as it is now.
Result<DecidingPolicy> file_of_rule(const policy::RecordedEvent& event,
                                    const policy::EventOrigin& origin) {
  const auto rule = event.rule();
  if (!rule) return Error{ENOENT, "", "", ""};
  auto source = policy::read_source(rule->where.file);
  if (!source) return Error{ENOENT, "", "", ""};
  DecidingPolicy found{{{*std::move(source)}, {}}, rule->where.file + ", which is as it was", ""};
  if (is_text(found.text, origin.digest)) return found;
  if (!origin.digest.empty()) return Error{ENOENT, "", "", ""};
  found.warning = fmt::format(
      "the event does not record which policy text decided it; the explanation is by {} as it is "
      "now",
      escape(rule->where.file));
  return found;
}

}  // namespace

Result<DecidingPolicy> deciding_policy(std::string_view line,
                                       const std::vector<policy::PolicyText>& policies,
                                       const std::string& path) {
  HF_TRY_ASSIGN(const auto event, policy::RecordedEvent::parse(line));
  const policy::EventOrigin origin = event.origin();
  for (const policy::PolicyText& text : policies)
    if (is_text(text, origin.digest)) return DecidingPolicy{text, "the run's, as it was", ""};
  std::string searched;
  for (const std::string& place : places(path, origin)) {
    HF_TRY_ASSIGN(auto text, generation_in(place, origin));
    if (text)
      return DecidingPolicy{*std::move(text),
                            fmt::format("generation {}, as it was", origin.generation), ""};
    searched += (searched.empty() ? "" : " nor in ") + place;
  }
  if (auto found = file_of_rule(event, origin)) return found;
  return Error{ENOENT, "", "",
               fmt::format("the policy that decided it, generation {}, is not kept: neither in {} "
                           "nor in {}",
                           origin.generation, escape(path), escape(searched))};
}

std::string changed_since(const policy::PolicyText& text) {
  std::string changed;
  for (const policy::Source& source : text.sources) {
    const auto now = policy::read_source(source.name);
    if (now && now->text == source.text) continue;
    changed += fmt::format("{}{} {}", changed.empty() ? "" : ", ", escape(source.name),
                           now ? "has changed since" : "cannot be read now");
  }
  return changed;
}

}  // namespace holdfast::cli
