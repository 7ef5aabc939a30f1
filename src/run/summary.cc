// SPDX-License-Identifier: Apache-2.0
#include "run/summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/printable.h"
#include "policy/keys.h"
#include "policy/stated.h"

namespace holdfast::run {
namespace {

using backend::RuleKind;
using backend::Strength;

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string painted(std::string_view text, std::string_view paint, policy::Colour colour) {
  if (colour == policy::Colour::off) return std::string(text);
  return fmt::format("{}{}{}", paint, text, kPlain);
}

// "3 refused, 1 locked", without counts of 0.
std::string counts(const std::vector<std::pair<std::uint64_t, std::string_view>>& parts) {
  std::string text;
  for (const auto& [number, word] : parts)
    if (number > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, word);
  return text;
}

std::string decision_line(const backend::Totals& totals) {
  const std::uint64_t all = totals.allowed + totals.denied + totals.audited;
  const std::string parts = counts({{totals.allowed - totals.locked, "allowed"},
                                    {totals.denied, "refused"},
                                    {totals.audited, "would be refused"},
                                    {totals.locked, "locked on entry"},
                                    {totals.errors, "of them without facts"},
                                    {totals.lost, "events lost"}});
  return fmt::format("{} decision{}{}{}", all, all == 1 ? "" : "s", parts.empty() ? "" : ": ",
                     parts);
}

std::string guard_line(std::uint64_t guarded) {
  return fmt::format("  guard: {} attempt{} refused that no policy allows\n", guarded,
                     guarded == 1 ? "" : "s");
}

// "; io_uring was asked for 3 times and is not there", and so on.
std::string unreported_text(const backend::Unreported& unreported) {
  const auto times = [](std::uint64_t number) {
    return number == 1 ? std::string("once") : fmt::format("{} times", number);
  };
  std::string text;
  if (unreported.rings > 0)
    text += fmt::format("; io_uring was asked for {} and is not there", times(unreported.rings));
  if (unreported.listeners > 0)
    text += fmt::format("; a seccomp listener was asked for {}, and there can be no second one",
                        times(unreported.listeners));
  if (unreported.unread > 0)
    text += fmt::format("; a call was refused {} because a fact about its task could not be read",
                        times(unreported.unread));
  return text;
}

std::string bpf_line(const backend::BpfUsage& used) {
  const auto some = [](std::uint64_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
  };
  return fmt::format("  bpf: {}, {} ({} at a time), {} ({} at a time), {}; at most {} KiB\n",
                     some(used.tokens, "token"), some(used.maps, "map"), used.most_maps,
                     some(used.programs, "program"), used.most_programs,
                     some(used.attached, "attachment"), (used.most_memory + 1023) / 1024);
}

std::string rule_lines(const Summary& summary, policy::Colour colour) {
  struct Line {
    std::string place, rule, counts;
  };
  std::vector<Line> lines;
  std::size_t place_width = 0;
  std::size_t rule_width = 0;
  for (const auto& [id, hits] : summary.hits) {
    Line line;
    line.counts = counts({{hits.refused, "refused"},
                          {hits.audited, "would be refused"},
                          {hits.locked, "locked"},
                          {hits.allowed, "allowed"}});
    line.place = "no rule";
    if (id != HF_RULE_DEFAULT && id < summary.policy.rules.size()) {
      const policy::Rule& rule = summary.policy.rules[id];
      line.place = escape(rule.where.place());
      line.rule = escape(rule.key) + " = " + escape(rule.text);
    }
    place_width = std::max(place_width, line.place.size());
    rule_width = std::max(rule_width, line.rule.size());
    lines.push_back(std::move(line));
  }
  std::string text;
  for (const Line& line : lines)
    text += fmt::format("  {:<{}}  {:<{}}  {}\n", line.place, place_width, line.rule, rule_width,
                        painted(line.counts, kBold, colour));
  return text;
}

std::string_view strength_paint(Strength strength) {
  switch (strength) {
    case Strength::enforced:
      return kGreen;
    case Strength::best_effort:
      return kYellow;
    case Strength::none:
      return kRed;
  }
  return kRed;
}

std::string strength_lines(const Summary& summary, policy::Colour colour) {
  std::string text;
  for (const RuleKind kind : stated_rules(summary.policy, summary.profile)) {
    const auto promise = std::ranges::find(summary.promises, kind, &backend::Promise::kind);
    const Strength strength =
        promise == summary.promises.end() ? Strength::none : promise->strength;
    const std::string why = promise == summary.promises.end() ? "not promised" : promise->why;
    text += fmt::format("  {:<20} {}{}\n", backend::to_string(kind),
                        painted(backend::to_string(strength), strength_paint(strength), colour),
                        why.empty() ? "" : ": " + why);
  }
  return text;
}

}  // namespace

std::vector<RuleKind> stated_rules(const policy::Compiled& policy, std::uint16_t number) {
  const hf_profile& profile = policy.tables->profiles[number];
  std::set<std::string_view> stated;
  for (const policy::Key& key : policy::kKeys)
    if (key.rule != policy::HF_NO_RULE && profile.rules[key.rule] != HF_RULE_DEFAULT)
      stated.insert(key.kind);
  for (const policy::StatedRule& rule : policy::stated_rules(policy, number))
    if (rule.kind != backend::to_string(RuleKind::trace)) stated.insert(rule.kind);
  if (profile.ns_enter != HF_ENTER_ANY || profile.ns_create != HF_NS_ALL)
    stated.insert(backend::to_string(RuleKind::trace));
  std::vector<RuleKind> kinds;
  for (std::size_t i = 0; i < backend::kRuleKindCount; i++) {
    const auto kind = static_cast<RuleKind>(i);
    if (stated.contains(backend::to_string(kind))) kinds.push_back(kind);
  }
  return kinds;
}

std::string render(const Summary& summary, policy::Colour colour) {
  std::string text = fmt::format("{} {}: {}", painted("holdfast", kBold, colour), summary.backend,
                                 decision_line(summary.totals));
  if (!summary.passed_over.empty())
    text += painted(fmt::format("  (not {})", summary.passed_over), kDim, colour);
  text += "\n";
  if (summary.totals.guarded > 0) text += guard_line(summary.totals.guarded);
  if (summary.totals.unreported.all() > 0)
    text += "  " + unreported_text(summary.totals.unreported).substr(2) + "\n";
  if (summary.totals.bpf) text += bpf_line(*summary.totals.bpf);
  return text + rule_lines(summary, colour) + strength_lines(summary, colour);
}

std::string render_short(const Summary& summary, policy::Colour colour) {
  const backend::Totals& totals = summary.totals;
  const std::string name = painted("holdfast", kBold, colour);
  std::string text;
  if (totals.denied + totals.audited + totals.guarded > summary.shown || totals.lost > 0 ||
      totals.unreported.all() > 0) {
    const std::string parts = counts({{totals.denied, "refused"},
                                      {totals.audited, "would be refused"},
                                      {totals.guarded, "refused whatever the policy says"},
                                      {totals.lost, "events lost"}});
    const std::string all =
        (parts.empty() ? "" : "; " + parts) + unreported_text(totals.unreported);
    text = fmt::format("{}: {} (-v shows more)\n", name, all.substr(2));
  }
  std::string unenforced;
  for (const RuleKind kind : stated_rules(summary.policy, summary.profile)) {
    const auto promise = std::ranges::find(summary.promises, kind, &backend::Promise::kind);
    if (promise != summary.promises.end() && promise->strength != Strength::none) continue;
    unenforced += fmt::format("{}{}", unenforced.empty() ? "" : ", ", backend::to_string(kind));
  }
  if (!unenforced.empty())
    text += fmt::format("{}: {} does not enforce {} here (-v says why)\n", name, summary.backend,
                        painted(unenforced, kRed, colour));
  return text;
}

}  // namespace holdfast::run
