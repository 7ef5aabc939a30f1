// SPDX-License-Identifier: Apache-2.0
#include "run/report.h"

#include <fmt/core.h>

#include <utility>

#include "core/counters.h"
#include "events/event_json.h"
#include "events/guard_event.h"

namespace holdfast::run {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kMaxAggregated = 256;  // distinct events

// Two events with the same key are shown as one line.
std::string key_of(const hf_event& event) {
  return fmt::format("{} {} {} {} {} {} {} {} {}", event.request.op, event.request.via,
                     event.request.ns_types, event.request.sock_family, event.request.bpf_value,
                     event.verdict.action, event.verdict.reason, event.verdict.rule,
                     std::string_view(event.actor.comm));
}

std::string key_of(const hf_guard_event& refusal) {
  return fmt::format("guard {} {} {}", refusal.what, refusal.detail,
                     std::string_view(refusal.actor.comm));
}

}  // namespace

Result<Reporter> Reporter::create(const policy::Compiled& policy, EventFormat format,
                                  policy::Colour colour, const std::string& events_path,
                                  std::string policy_line) {
  Reporter reporter(policy, format, colour);
  reporter.policy_line_ = std::move(policy_line);
  if (!events_path.empty()) {
    HF_TRY_ASSIGN(reporter.file_, kernel::create_stream(events_path));
  }
  return reporter;
}

void Reporter::count(const hf_verdict& verdict) {
  RuleHits& hits = hits_[verdict.rule];
  switch (hf_outcome(&verdict)) {
    case HF_DENIED:
      hits.refused++;
      break;
    case HF_AUDITED:
      hits.audited++;
      break;
    default:
      (verdict.action == HF_LOCK ? hits.locked : hits.allowed)++;
  }
}

void Reporter::event(const hf_event& event, const policy::EventPaths& paths) {
  count(event.verdict);
  keep(policy::budget_kind(event), policy::budget_request(event), event.actor.uid, event.time_ns,
       {event, paths});
  fold(key_of(event), event.time_ns, {event, paths});
}

void Reporter::refusal(const hf_guard_event& refusal) {
  keep(fmt::format("guard {}", refusal.what), std::to_string(refusal.detail), refusal.actor.uid,
       refusal.time_ns, {refusal, {}});
  fold(key_of(refusal), refusal.time_ns, {refusal, {}});
}

void Reporter::keep(const std::string& kind, std::string_view request, std::uint32_t user,
                    std::uint64_t time_ns, const Reported& reported) {
  if (!file_) return;
  const std::uint64_t event_count =
      1 +
      std::visit([](const auto& event) -> std::uint64_t { return event.repeats; }, reported.event);
  if (budget_.admits(kind, request, user, event_count, reported, time_ns)) write(reported);
  write(budget_.take_due(time_ns));
}

void Reporter::write(const std::vector<policy::EventBudget<Reported>::Counted>& counted) {
  for (const auto& one : counted)
    std::visit(
        [&](const auto& last) {
          write(Reported{policy::counted_event(last, one.records, one.decisions), one.last.paths});
        },
        one.last.event);
}

void Reporter::write(const Reported& reported) {
  std::string line;
  if (const auto* event = std::get_if<hf_event>(&reported.event))
    line = policy::event_json(*event, *policy_, reported.paths);
  else
    line = policy::guard_event_json(std::get<hf_guard_event>(reported.event));
  line += "\n";
  if (!policy_line_.empty()) line = std::exchange(policy_line_, {}) + "\n" + line;
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size()) unwritten_++;
}

void Reporter::fold(const std::string& key, std::uint64_t time_ns, const Reported& reported) {
  const auto known = aggregated_.find(key);
  if (known != aggregated_.end() && time_ns - known->second.shown_ns < kSecondNs) {
    known->second.last = reported;
    known->second.count++;
    return;
  }
  if (!may_show(time_ns)) {
    unshown_++;
    return;
  }
  const std::uint64_t repeats = known == aggregated_.end() ? 0 : known->second.count;
  show(reported, repeats);
  if (known == aggregated_.end() && aggregated_.size() >= kMaxAggregated) show_aggregated();
  aggregated_[key] = Aggregate{reported, time_ns, 0};
}

bool Reporter::may_show(std::uint64_t now_ns) {
  if (now_ns / kSecondNs != second_) {
    second_ = now_ns / kSecondNs;
    lines_ = 0;
  }
  return lines_++ < kLinesPerSecond;
}

std::string Reporter::line_of(const hf_event& event, const policy::EventPaths& paths) const {
  if (format_ == EventFormat::json) return policy::event_json(event, *policy_, paths);
  return "holdfast: " + policy::event_text(event, *policy_, colour_, paths);
}

std::string Reporter::line_of(const hf_guard_event& refusal, const policy::EventPaths&) const {
  if (format_ == EventFormat::json) return policy::guard_event_json(refusal);
  return "holdfast: " + policy::guard_event_text(refusal, colour_);
}

void Reporter::show(const Reported& reported, std::uint64_t repeats) {
  const std::string line = std::visit(
      [&](auto shown) {
        shown.repeats = repeats;
        return line_of(shown, reported.paths);
      },
      reported.event);
  const auto* event = std::get_if<hf_event>(&reported.event);
  if (!event || hf_outcome(&event->verdict) != HF_ALLOWED) shown_++;
  fmt::print(stderr, "{}\n", line);
}

void Reporter::finish() {
  write(budget_.take_all());
  show_aggregated();
}

void Reporter::show_aggregated() {
  for (const auto& [key, aggregated] : aggregated_)
    if (aggregated.count > 0) show(aggregated.last, aggregated.count - 1);
  aggregated_.clear();
  if (unshown_ > 0 && format_ == EventFormat::pretty)
    fmt::print(stderr, "holdfast: {} more events not shown\n", unshown_);
  unshown_ = 0;
}

}  // namespace holdfast::run
