// SPDX-License-Identifier: Apache-2.0
#include "explain/replay.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/printable.h"
#include "core/decide.h"
#include "events/event_file.h"
#include "events/event_json.h"
#include "events/event_text.h"
#include "events/recorded_event.h"
#include "policy/cgroup_path.h"

namespace holdfast::policy {
namespace {

void fill_chain(__u16 (&chain)[HF_MAX_NEST], const Compiled& policy, const std::string& path) {
  const auto profiles = profiles_of_cgroup(policy, path);
  std::fill(std::begin(chain), std::end(chain), HF_NO_PROFILE);
  std::copy_n(profiles.begin(), std::min<std::size_t>(profiles.size(), HF_MAX_NEST), chain);
}

// If a moved task had the profile of its cgroup, it has another profile under other bindings.
void bind_anew(hf_request& r, const Compiled& policy, const EventPaths& paths) {
  const bool by_cgroup = r.object == r.src_chain[0];
  if (!paths.source.empty()) fill_chain(r.src_chain, policy, paths.source);
  if (!paths.target.empty()) fill_chain(r.dst_chain, policy, paths.target);
  if (by_cgroup) r.object = r.src_chain[0];
}

// Requests and verdicts have no padding, so their bytes can be the key.
std::string key_of(const hf_event& event) {
  const hf_request request = with_plain_sets(event.request);
  std::string key(reinterpret_cast<const char*>(&request), sizeof(request));
  key += static_cast<char>(event.verdict.action);
  key += static_cast<char>(event.verdict.mode);
  return key;
}

}  // namespace

// The mode matters to every verdict but "allow", since audit does not lock and does not limit.
bool differ(const hf_verdict& was, const hf_verdict& now) {
  if (was.action != now.action) return true;
  return was.action != HF_ALLOW && was.mode != now.mode;
}

Result<hf_event> event_under(const RecordedEvent& recorded, const Compiled& policy) {
  HF_TRY_ASSIGN(auto event, recorded.event(policy));
  if (event.request.op == HF_OP_CGROUP_ATTACH) bind_anew(event.request, policy, recorded.paths());
  return event;
}

Result<Replay> replay(const LineSource& lines, const Compiled& policy) {
  Replay result;
  std::map<std::string, std::size_t> known;
  const auto take = [&](const EventLine& line) -> Result<void> {
    if (line.kind != LineKind::decision) return {};
    HF_TRY_ASSIGN(const auto recorded, RecordedEvent::parse(line.text));
    HF_TRY_ASSIGN(const auto event, event_under(recorded, policy));
    hf_verdict now;
    hf_decide(policy.tables.get(), &event.request, &now);
    // Of these decisions only the rule is known.
    const bool differ_among_themselves = (event.repeats & HF_REPEATS_DIFFER) != 0;
    const std::uint64_t repeats = event.repeats & ~HF_REPEATS_DIFFER;
    if (differ_among_themselves) result.unknown += repeats;
    const std::uint64_t decisions = differ_among_themselves ? 1 : repeats + 1;
    result.decisions += decisions;
    if (!differ(event.verdict, now)) return {};
    result.differing += decisions;
    const auto [at, added] = known.try_emplace(key_of(event), result.different.size());
    if (added) result.different.push_back({event, now, recorded.rule(), {}, 0});
    Replayed& group = result.different[at->second];
    group.ids.add(event.id);
    group.decisions += decisions;
    return {};
  };
  HF_TRY(lines(take));
  return result;
}

std::string replayed_text(const Replayed& replayed, const Compiled& policy) {
  hf_event event = replayed.event;
  event.verdict = replayed.now;
  event.repeats = 0;
  std::string text = event_text(event, policy, Colour::off);
  text = text.substr(0, text.rfind("  (event "));
  const auto& was = replayed.rule;
  return fmt::format(
      "{} -> {}  {}{}{}", describe_action(replayed.event.verdict), text, event_list(replayed.ids),
      replayed.decisions > replayed.ids.count() ? fmt::format(" ({} decisions)", replayed.decisions)
                                                : "",
      was ? fmt::format("   was {} {} = {}", escape(was->where.place()), escape(was->key),
                        escape(was->text))
          : "");
}

std::string replayed_json(const Replayed& replayed, const Compiled& policy) {
  hf_event event = replayed.event;
  event.verdict = replayed.now;
  std::string ids;
  for (const std::uint64_t id : replayed.ids.smallest())
    ids += fmt::format("{}{}", ids.empty() ? "" : ",", id);
  const std::string rule = replayed.rule ? ",\"was_rule\":" + rule_json(*replayed.rule) : "";
  return fmt::format(
      "{{\"ids\":[{}],\"events\":{},\"decisions\":{},\"was\":\"{}\",\"now\":\"{}\",\"event\":{}{}}"
      "}",
      ids, replayed.ids.count(), replayed.decisions, describe_action(replayed.event.verdict),
      describe_action(replayed.now), event_json(event, policy), rule);
}

}  // namespace holdfast::policy
