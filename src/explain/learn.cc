// SPDX-License-Identifier: Apache-2.0
#include "explain/learn.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/decide.h"
#include "events/event_file.h"
#include "events/event_json.h"
#include "events/recorded_event.h"
#include "explain/learn_recorded.h"
#include "explain/learn_sockets.h"
#include "explain/learn_trial.h"
#include "explain/replay.h"
#include "explain/subjects.h"
#include "policy/keys.h"
#include "policy/load.h"
#include "policy/toml_text.h"

namespace holdfast::policy {
namespace {

std::string comment(const Needed& needed) {
  if (!needed.ids.empty()) return event_list(needed.ids);
  return needed.why.empty() ? "no event needs more" : needed.why;
}

Error too_many_names() {
  return {E2BIG, "learn", "", "more profiles or labels than one policy may name"};
}

bool has_too_many(const EventNames& names) {
  return names.profiles.size() > HF_PROFILE_SLOTS ||
         names.label_names.size() > HF_MAX_LABEL_NAMES ||
         names.label_values.size() > HF_MAX_LABEL_VALUES;
}

// A policy of names only: the profiles of the events and of the base, and all labels.
Result<Compiled> universe(EventNames seen, const Model& base) {
  Compiled names;
  names.profiles.emplace_back();
  for (const Profile& profile : base.profiles) {
    names.profiles.push_back(profile.name);
    seen.profiles.erase(profile.name);
  }
  names.profiles.insert(names.profiles.end(), seen.profiles.begin(), seen.profiles.end());
  names.label_names.assign(seen.label_names.begin(), seen.label_names.end());
  names.label_values.emplace_back();
  // Ids start at 1. The empty value is a value, too.
  names.label_values.insert(names.label_values.end(), seen.label_values.begin(),
                            seen.label_values.end());
  if (names.profiles.size() > HF_PROFILE_SLOTS || names.label_names.size() > HF_MAX_LABEL_NAMES ||
      names.label_values.size() > HF_MAX_LABEL_VALUES)
    return too_many_names();
  return names;
}

Result<std::vector<Seen>> read(const std::vector<RecordedKind>& kinds, const Compiled& names) {
  std::vector<Seen> seen;
  for (const RecordedKind& kind : kinds) {
    HF_TRY_ASSIGN(const auto event, event_from_json(kind.line, names));
    seen.push_back({event.request, kind.ids});
  }
  return seen;
}

// The profiles for which something can be learned, by the subject of their keys.
using Concerned = std::map<About, std::set<std::uint16_t>>;

Concerned concerned(const std::vector<Seen>& seen) {
  Concerned found;
  for (const Seen& one : seen)
    for (const auto& [about, profiles] : subjects_of(one.request))
      found[about].insert(profiles.begin(), profiles.end());
  return found;
}

class Writer {
 public:
  Writer(const std::vector<Seen>& seen, const Compiled& names, const Model& base,
         const std::vector<Model>& recorders, Trial& trial)
      : seen_(seen),
        names_(names),
        base_(base),
        recorded_(recorders),
        trial_(trial),
        concerned_(concerned(seen)) {}

  std::string write() {
    text_ = "version = 1\n";
    for (std::size_t i = 1; i < names_.profiles.size(); i++) profile(static_cast<std::uint16_t>(i));
    return std::move(text_);
  }
  // After write().
  [[nodiscard]] std::vector<std::string> take_notes() { return std::move(notes_); }

 private:
  void setting(std::string_view key, const LearnedSetting& learned) {
    if (!learned.stated) return;
    if (!learned.is_list) {
      text_ +=
          fmt::format("{} = {}  # {}\n", key, learned.values[0].value, comment(learned.values[0]));
    } else if (learned.values.empty()) {
      text_ += fmt::format("{} = []  # no event needs more\n", key);
    } else {
      text_ += fmt::format("{} = [\n", key);
      for (const Needed& word : learned.values)
        text_ += fmt::format("  {},  # {}\n", word.value, comment(word));
      text_ += "]\n";
    }
  }

  template <typename T>
  void from_base(std::string_view key, const Setting<T>& stated) {
    if (stated)
      text_ += fmt::format("{} = {}  # from {}\n", key, stated->text, stated->where.place());
  }

  void bindings(const Profile& of) {
    std::string list;
    const auto cgroups = bound_cgroups(of);
    for (const Stated<std::string>* cgroup : cgroups)
      list += (list.empty() ? "" : ", ") + toml_string(cgroup->value);
    if (!list.empty())
      text_ += fmt::format("cgroup = [{}]  # from {}\n", list, cgroups[0]->where.place());
    from_base("mark", of.mark);
  }

  // Is there something to learn for keys of this profile?
  [[nodiscard]] bool concerns(About about, std::uint16_t number) const {
    const auto at = concerned_.find(about);
    if (at != concerned_.end() && at->second.contains(number)) return true;
    return about != About::visitors && recorded_.rules_about(about, names_.profiles[number]);
  }

  void learned(About about, std::uint16_t number) {
    for (const Key& key : kKeys)
      if (key.about == about) setting(key.name, strictest(key, number));
  }

  LearnedSetting strictest(const Key& key, std::uint16_t number) {
    const std::string& profile = names_.profiles[number];
    LearnedSetting found = recorded_.widen(key, profile, trial_.strictest(key, number), notes_);
    if (!found.stated || key.about != About::members || found.values.empty()) return found;
    // Only a run can hold members in a sandbox.
    const std::string& value = found.values[0].value;
    if (found.is_list || (value != "\"lock\"" && value != "\"own\"") || !holds_cgroups(number))
      return found;
    notes_.push_back(
        fmt::format("profile {}: {} = {} would do for a run; for cgroups nothing is "
                    "proposed",
                    profile, key.name, value));
    return {};
  }

  [[nodiscard]] bool holds_cgroups(std::uint16_t number) const {
    if (number > base_.profiles.size()) return false;
    const Profile& of = base_.profiles[number - 1u];
    return !bound_cgroups(of).empty() || of.mark;
  }

  void namespaces(std::uint16_t number, const Profile* of) {
    const bool tracks = of != nullptr && of->ns_track && of->ns_track->value;
    const bool visited = concerns(About::visitors, number);
    if (concerns(About::members, number)) learned(About::members, number);
    if (tracks)
      from_base("namespaces.track", of->ns_track);
    else if (visited)
      text_ += "namespaces.track = true  # the events depend on its own namespaces\n";
    if (tracks || visited) learned(About::visitors, number);
  }

  void mark(std::uint16_t number, const Profile& of) {
    if (concerns(About::marks, number))
      learned(About::marks, number);
    else
      from_base("mark_by", of.mark_by);
  }

  // A profile without known cgroups cannot limit joining them.
  void cgroups(std::uint16_t number, const Profile* of) {
    if (!concerns(About::moves, number)) return;
    const bool holds_one = of != nullptr && (!bound_cgroups(*of).empty() || of->mark);
    for (const Key& key : kKeys)
      if (key.about == About::moves && (holds_one || key.needs != Needs::cgroup))
        setting(key.name, strictest(key, number));
    if (!holds_one)
      text_ += "# cgroup = \"/…\": not in the events, so there is no rule about joining it\n";
  }

  // Where a recorder has socket rules and no event is about sockets, none was used.
  std::string sockets(std::uint16_t number) {
    const std::string& name = names_.profiles[number];
    const bool used = std::ranges::any_of(seen_, [number](const Seen& one) {
      return one.request.op == HF_OP_SOCKET && one.request.subject == number;
    });
    const bool ruled = recorded_.rules_about(About::sockets, name);
    if (!used && !ruled) return "";
    const std::uint32_t ops = recorded_.socket_ops(name, notes_).value_or(HF_SOCK_OPS_ALL);
    const std::string rest = recorded_.socket_rules(name, notes_);
    if (used) return learned_sockets(seen_, names_, number, ops, rest);
    return rest.empty() && ops != 0 ? closing_rule(name, ops) : rest;
  }

  void profile(std::uint16_t number) {
    const Profile* of = number <= base_.profiles.size() ? &base_.profiles[number - 1u] : nullptr;
    text_ += fmt::format("\n[profile.{}]\n", toml_key(names_.profiles[number]));
    if (of != nullptr) bindings(*of);
    if (of != nullptr && of->mark) mark(number, *of);
    namespaces(number, of);
    cgroups(number, of);
    if (of != nullptr) from_base("label.set", of->label_set);
    if (of != nullptr) from_base("label.inherit", of->label_inherit);
    text_ += sockets(number);
    const std::string bpf = learned_bpf(seen_, names_, number);
    text_ += bpf;
    if (!bpf.empty() && of != nullptr && of->bpf &&
        bpf.find("delegate.attach_to") == std::string::npos)
      from_base("delegate.attach_to", of->bpf_attach_to);
  }

  const std::vector<Seen>& seen_;
  const Compiled& names_;
  const Model& base_;
  Recorded recorded_;
  Trial& trial_;
  Concerned concerned_;
  std::string text_;
  std::vector<std::string> notes_;
};

// Removes socket rules of the recorder that a learned rule covers: the language refuses them.
std::string without_covered_rules(const std::string& toml) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < toml.size();) {
    const std::size_t end = std::min(toml.find('\n', at), toml.size());
    lines.push_back(toml.substr(at, end - at));
    at = end + 1;
  }
  bool any = false;
  for (const Diagnostic& mistake : load({{"learned", toml, false}}).diagnostics) {
    if (!mistake.message.starts_with("this rule can never match")) continue;
    any = true;
    for (std::size_t i = mistake.where.line - 1; i < lines.size(); i++) {
      if (i >= mistake.where.line && lines[i].starts_with('[')) break;
      lines[i].clear();
    }
  }
  if (!any) return toml;
  std::string text;
  for (const std::string& line : lines)
    if (!line.empty() || !text.ends_with("\n\n")) text += line + "\n";
  return text;
}

// Checks the result as learn.h promises. Events with the same facts have the same verdict.
Result<void> try_out(const std::string& toml, const std::vector<RecordedKind>& kinds,
                     const std::vector<bool>& never) {
  const auto failed = [](std::string detail) { return Error{EIO, "learn", "", std::move(detail)}; };
  const LoadResult loaded = load({{"learned", toml, false}});
  if (!loaded.policy)
    return failed("the proposal is not a policy: " + render(loaded.diagnostics.front()));
  for (std::size_t i = 0; i < kinds.size(); i++) {
    HF_TRY_ASSIGN(const auto event, event_from_json(kinds[i].line, *loaded.policy));
    hf_verdict verdict;
    hf_decide(loaded.policy->tables.get(), &event.request, &verdict);
    if (verdict.action == HF_DENY && !never[i])
      return failed(fmt::format("the proposal refuses event {}", event.id));
  }
  return {};
}

}  // namespace

Result<Recording> read_recording(const LineSource& lines) {
  Recording recording;
  std::unordered_map<std::string, std::size_t> known;
  std::set<std::pair<std::uint64_t, std::string>> origins;
  std::set<std::uint64_t> policies;
  const Compiled no_names;
  const auto take = [&](const EventLine& line) -> Result<void> {
    if (line.kind == LineKind::policy) {
      auto policy = policy_from_line(line.text);
      if (policy && policies.insert(text_digest(policy->sources)).second)
        recording.policies.push_back(*std::move(policy));
    }
    if (line.kind != LineKind::decision) return {};
    HF_TRY_ASSIGN(const auto recorded, RecordedEvent::parse(line.text));
    HF_TRY_ASSIGN(const auto event, recorded.event(no_names));
    const auto [at, added] = known.try_emplace(recorded.facts(), recording.kinds.size());
    if (added) {
      recording.kinds.push_back({std::string(line.text), {}});
      recorded.collect_names(recording.names);
      if (has_too_many(recording.names)) return too_many_names();
    }
    recording.kinds[at->second].ids.add(event.id);
    EventOrigin origin = recorded.origin();
    if (origins.emplace(origin.generation, origin.digest).second)
      recording.origins.emplace_back(line.text);
    return {};
  };
  HF_TRY(lines(take));
  return recording;
}

Result<Learned> learn(const Recording& recording, const Model& base,
                      const std::vector<Model>& recorders) {
  HF_TRY_ASSIGN(const auto names, universe(recording.names, base));
  HF_TRY_ASSIGN(auto all, read(recording.kinds, names));
  Learned learned;
  const std::vector<Seen> none;
  Trial permissive(none, names);
  std::vector<Seen> seen;
  std::vector<bool> never;
  for (Seen& one : all) {
    never.push_back(permissive.refused_always(one));
    if (never.back())
      learned.never.add(one.ids);
    else
      seen.push_back(std::move(one));
  }
  Trial trial(seen, names);
  Writer writer(seen, names, base, recorders, trial);
  learned.toml = without_covered_rules(writer.write());
  learned.notes = writer.take_notes();
  HF_TRY(try_out(learned.toml, recording.kinds, never));
  return learned;
}

}  // namespace holdfast::policy
