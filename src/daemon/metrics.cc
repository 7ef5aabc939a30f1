// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics.h"

#include <fmt/core.h>

#include <array>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "bundle/machine.h"
#include "events/guard_event.h"
#include "policy/enum_names.h"

namespace holdfast::daemon {

namespace {

constexpr std::array<std::string_view, HF_OUTCOMES> kVerdicts = {"allow", "deny", "audit"};

using Label = std::pair<std::string_view, std::string_view>;

// Escapes backslash, quote and newline in the value of a label.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }

  template <typename Value>
  void sample(Value value, std::initializer_list<Label> labels = {}) {
    text_ += name_;
    char before = '{';
    for (const auto& [name, text] : labels) {
      text_ += fmt::format("{}{}=\"{}\"", before, name, escaped(text));
      before = ',';
    }
    text_ += fmt::format("{} {}\n", before == ',' ? "}" : "", value);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string_view name_;
  std::string text_;
};

void add_state(Text& text, const DaemonState& state) {
  text.family("holdfast_build_info", "gauge", "The version of holdfastd, as a label.");
  text.sample(1, {{"version", HOLDFAST_VERSION}});
  text.family("holdfast_policy_generation", "gauge", "Generation of the live policy.");
  text.sample(state.generation);
  text.family("holdfast_policy_profiles", "gauge", "Number of profiles of the live policy.");
  text.sample(state.profiles);
  text.family("holdfast_policy_bad_files", "gauge",
              "Policy files whose present text is not in force, because of mistakes.");
  text.sample(state.bad_files);
  text.family("holdfast_sealed", "gauge",
              "1 if the policy is sealed: only the token allows changes.");
  text.sample(state.sealed ? 1 : 0);
  text.family("holdfast_adopted", "gauge", "1 if holdfastd adopted enforcement that was in force.");
  text.sample(state.adopted ? 1 : 0);
  text.family("holdfast_decision_errors_total", "counter",
              "Refusals for want of a fact (of those denied and audited), and faults that were no "
              "decision.");
  text.sample(state.totals.errors);
}

void add_bundle(Text& text, const DaemonState& state) {
  text.family("holdfast_policy_info", "gauge",
              "The live policy: its digest, and the bundle that it was made of (none: empty).");
  text.sample(1, {{"name", state.policy_name}, {"digest", state.policy_digest}});
  text.family("holdfast_policy_pending", "gauge", "1 if the live policy waits to be confirmed.");
  text.sample(state.is_pending ? 1 : 0);
  const BundleState& bundle = state.bundle;
  text.family("holdfast_bundle_info", "gauge",
              "The bundle whose files the policy directory has, and the latest that was applied.");
  if (!bundle.name.empty())
    text.sample(1, {{"name", bundle.name}, {"newest", bundle.newest}, {"key", bundle.key}});
  text.family("holdfast_bundle_changed_files", "gauge",
              "Files of the bundle that were changed or removed since.");
  text.sample(bundle.changed_files);
  text.family("holdfast_bundle_unfinished", "gauge",
              "1 if an application of a bundle was begun and has not ended.");
  text.sample(bundle.is_unfinished ? 1 : 0);
  text.family("holdfast_bundle_record_damaged", "gauge",
              "1 if the record of bundles cannot be read: every bundle is refused.");
  text.sample(bundle.is_damaged ? 1 : 0);
}

void add_decisions(Text& text, const backend::MachineStats& stats) {
  text.family("holdfast_decisions_total", "counter",
              "Decisions by hook, verdict (audit: would have been denied) and the profile whose "
              "rule it was (none: no profile's).");
  for (const backend::DecisionCount& d : stats.decisions)
    text.sample(d.count, {{"hook", policy::name_of(policy::kOpNames, d.op)},
                          {"verdict", kVerdicts.at(d.kind)},
                          {"profile", d.profile}});
  text.family("holdfast_refused_attempts_total", "counter",
              "Refused attacks on the enforcement itself, by kind.");
  for (std::uint32_t what = 1; what < stats.refusals.size() && what < HF_GUARD_COUNT; what++)
    text.sample(stats.refusals[what], {{"guard", policy::guard_kind_name(what)}});
}

void add_sessions(Text& text, const backend::MachineStats& stats) {
  text.family("holdfast_sessions", "gauge", "Runs that holdfastd holds now.");
  text.sample(stats.sessions);
  text.family("holdfast_session_tasks", "gauge", "Tasks of these runs.");
  text.sample(stats.session_tasks);
  text.family("holdfast_sessions_opened_total", "counter",
              "Runs that holdfastd has held since its programs were attached.");
  text.sample(stats.sessions_opened);
}

void add_events(Text& text, const DaemonState& state, const backend::MachineStats& stats) {
  text.family("holdfast_lost_events_total", "counter",
              "Events that found no room in their ring buffer. The decisions were enforced.");
  text.sample(state.totals.lost, {{"ring", "decisions"}});
  text.sample(stats.refusals_lost, {{"ring", "guard"}});
}

void add_fills(Text& text, const backend::MachineStats& stats) {
  const auto each = [&](backend::UsageUnit unit, std::string_view label, auto value) {
    for (const backend::MapUsage& fill : stats.map_usage)
      if (fill.unit == unit) text.sample(value(fill), {{label, fill.name}});
  };
  const auto used = [](const backend::MapUsage& fill) { return fill.used; };
  const auto most = [](const backend::MapUsage& fill) { return fill.most; };
  text.family("holdfast_map_entries", "gauge", "Entries of a BPF map.");
  each(backend::UsageUnit::entries, "map", used);
  text.family("holdfast_map_max_entries", "gauge", "Capacity of a BPF map.");
  each(backend::UsageUnit::entries, "map", most);
  text.family("holdfast_ring_bytes", "gauge", "Bytes of unread events in a ring buffer.");
  each(backend::UsageUnit::bytes, "ring", used);
  text.family("holdfast_ring_size_bytes", "gauge", "Capacity of a ring buffer of events.");
  each(backend::UsageUnit::bytes, "ring", most);
}

void add_runs(Text& text, const backend::MachineStats& stats) {
  if (stats.runs.empty()) return;
  text.family("holdfast_program_runs_total", "counter",
              "Runs of a BPF program while the kernel counted them.");
  for (const backend::ProgramStats& runs : stats.runs)
    text.sample(runs.count, {{"program", runs.program}});
  text.family("holdfast_program_run_seconds_total", "counter", "Total time of these runs.");
  for (const backend::ProgramStats& runs : stats.runs)
    text.sample(fmt::format("{:.9f}", static_cast<double>(runs.ns) / 1e9),
                {{"program", runs.program}});
}

}  // namespace

BundleState bundle_state(const std::string& state_dir, const std::string& directory) {
  BundleState state;
  const auto record = bundle::read_record(state_dir);
  state.is_damaged = !record;
  if (!record) return state;
  state.newest = record->newest;
  state.is_unfinished = !record->to_rename.empty() || !record->to_remove.empty();
  if (!record->current) return state;
  state.name = record->current->name;
  state.key = record->current->key;
  state.changed_files = bundle::changed_files(*record->current, directory).size();
  return state;
}

std::string exposition(const DaemonState& state, const backend::MachineStats& stats) {
  Text text;
  add_state(text, state);
  add_bundle(text, state);
  add_decisions(text, stats);
  add_sessions(text, stats);
  add_events(text, state, stats);
  add_fills(text, stats);
  add_runs(text, stats);
  return text.take();
}

}  // namespace holdfast::daemon
