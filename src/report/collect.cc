// SPDX-License-Identifier: Apache-2.0
#include "report/collect.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "core/abi.h"
#include "events/event_text.h"
#include "events/guard_event.h"
#include "events/recorded_event.h"
#include "policy/enum_names.h"

namespace holdfast::report {
namespace {

Outcome outcome_of(const hf_verdict& verdict) {
  switch (verdict.action) {
    case HF_DENY:
      return verdict.mode == HF_MODE_AUDIT ? Outcome::reported : Outcome::denied;
    case HF_LIMIT:
      return Outcome::limited;
    case HF_LOCK:
      return Outcome::locked;
    default:
      return Outcome::allowed;
  }
}

std::size_t index_of(Outcome outcome) { return static_cast<std::size_t>(outcome); }

std::string profile_name(const policy::Compiled& names, std::uint16_t number) {
  return number < names.profiles.size() ? names.profiles[number] : std::string();
}

std::uint64_t sum(const Counts& counts) {
  std::uint64_t all = 0;
  for (const std::uint64_t one : counts) all += one;
  return all;
}

class Collector {
 public:
  Result<void> take(const policy::EventLine& line) {
    if (line.kind == policy::LineKind::policy) {
      auto text = policy::policy_from_line(line.text);
      if (text && policies_.insert(policy::text_digest(text->sources)).second)
        all_.policies.push_back(*std::move(text));
      return {};
    }
    if (line.kind == policy::LineKind::guard) return guard(line.text);
    HF_TRY_ASSIGN(const auto recorded, policy::RecordedEvent::parse(line.text));
    const policy::Compiled names = recorded.recorded_policy();
    HF_TRY_ASSIGN(const auto event, recorded.event(names));
    if (!recorded.origin().digest.empty()) all_.last_line = line.text;
    decision(event, names, recorded.rule());
    return {};
  }

  Collected finish() {
    std::ranges::stable_sort(all_.refusals, std::greater(),
                             [](const Refusal& one) { return one.denied + one.reported; });
    std::ranges::stable_sort(all_.unprofiled, std::greater(),
                             [](const Unprofiled& one) { return sum(one.counts); });
    return std::move(all_);
  }

 private:
  Result<void> guard(std::string_view line) {
    HF_TRY_ASSIGN(const auto event, policy::guard_event_from_json(line));
    all_.events++;
    all_.guard[std::string(policy::guard_kind_name(event.what))] +=
        (event.repeats & ~HF_REPEATS_DIFFER) + 1;
    return {};
  }

  void decision(const hf_event& event, const policy::Compiled& names,
                const std::optional<policy::Rule>& rule) {
    const std::uint64_t decisions = (event.repeats & ~HF_REPEATS_DIFFER) + 1;
    const Outcome outcome = outcome_of(event.verdict);
    all_.events++;
    all_.decisions += decisions;
    all_.totals[index_of(outcome)] += decisions;
    all_.first_ns = std::min(all_.first_ns, std::uint64_t{event.time_ns});
    all_.last_ns = std::max(all_.last_ns, std::uint64_t{event.time_ns});
    all_.timeline.add(event.time_ns, outcome, decisions);
    if (outcome == Outcome::denied || outcome == Outcome::reported)
      refusal(event, names, rule, outcome, decisions);
    if (event.request.subject == HF_NO_PROFILE) unprofiled(event, outcome, decisions);
    relation(event.request, names, outcome, decisions);
    sandbox(profile_name(names, event.request.held_owner), event.request.held_set);
    sandbox(profile_name(names, event.request.target_owner), event.request.target_set);
  }

  void refusal(const hf_event& event, const policy::Compiled& names,
               const std::optional<policy::Rule>& rule, Outcome outcome, std::uint64_t decisions) {
    Refusal one;
    if (rule) one.place = rule->where.place();
    if (rule) one.rule = fmt::format("{} = {}", rule->key, rule->text);
    one.profile = profile_name(names, event.verdict.profile);
    one.operation = policy::describe_operation(event.request);
    one.reason = policy::describe_reason(event.verdict.reason);
    one.who = policy::comm_of(event.actor);
    if (event.object.pid != 0) one.object = policy::comm_of(event.object);
    std::string key;
    for (const std::string* part :
         {&one.place, &one.rule, &one.profile, &one.operation, &one.reason, &one.who, &one.object})
      key += *part + '\n';
    auto at = refusals_.find(key);
    if (at == refusals_.end()) {
      if (all_.refusals.size() == kMaxKinds) {
        all_.other_refusals += decisions;
        return;
      }
      at = refusals_.emplace(key, all_.refusals.size()).first;
      all_.refusals.push_back(std::move(one));
    }
    Refusal& known = all_.refusals[at->second];
    (outcome == Outcome::denied ? known.denied : known.reported) += decisions;
    known.ids.add(event.id);
  }

  void unprofiled(const hf_event& event, Outcome outcome, std::uint64_t decisions) {
    Unprofiled one;
    one.who = policy::comm_of(event.actor);
    one.operation = policy::describe_operation(event.request);
    const std::string key = one.who + '\n' + one.operation;
    auto at = unprofiled_.find(key);
    if (at == unprofiled_.end()) {
      if (all_.unprofiled.size() == kMaxKinds) {
        all_.other_unprofiled += decisions;
        return;
      }
      at = unprofiled_.emplace(key, all_.unprofiled.size()).first;
      all_.unprofiled.push_back(std::move(one));
    }
    all_.unprofiled[at->second].counts[index_of(outcome)] += decisions;
  }

  void relation(const hf_request& request, const policy::Compiled& names, Outcome outcome,
                std::uint64_t decisions) {
    const bool is_move = request.op == HF_OP_CGROUP_ATTACH;
    const std::uint16_t to = is_move ? request.object : request.target_owner;
    if (to == HF_NO_PROFILE || to == request.subject) return;
    const Relation key{profile_name(names, request.subject), profile_name(names, to), is_move};
    if (!all_.relations.contains(key) && all_.relations.size() == kMaxRelations) return;
    all_.relations[key][index_of(outcome)] += decisions;
  }

  void sandbox(const std::string& profile, std::uint64_t set) {
    if (profile.empty() || set == HF_NO_SET) return;
    std::set<std::uint64_t>& sets = all_.sandboxes[profile];
    if (sets.size() < kMaxSandboxes) sets.insert(set);
  }

  Collected all_;
  std::set<std::uint64_t> policies_;
  std::unordered_map<std::string, std::size_t> refusals_;
  std::unordered_map<std::string, std::size_t> unprofiled_;
};

}  // namespace

void Timeline::add(std::uint64_t time_ns, Outcome outcome, std::uint64_t decisions) {
  bars_[time_ns / width_ns_][static_cast<std::size_t>(outcome)] += decisions;
  while (bars_.rbegin()->first - bars_.begin()->first >= kMaxBars) {
    width_ns_ *= 2;
    std::map<std::uint64_t, Counts> wider;
    for (const auto& [bar, counts] : bars_)
      for (std::size_t i = 0; i < kOutcomeCount; i++) wider[bar / 2][i] += counts[i];
    bars_ = std::move(wider);
  }
}

Result<Collected> collect(const policy::LineSource& lines) {
  Collector collector;
  HF_TRY(lines([&collector](const policy::EventLine& line) { return collector.take(line); }));
  return collector.finish();
}

}  // namespace holdfast::report
