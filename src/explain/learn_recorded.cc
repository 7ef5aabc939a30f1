// SPDX-License-Identifier: Apache-2.0
#include "explain/learn_recorded.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "explain/learn_sockets.h"
#include "policy/enum_names.h"
#include "policy/keys.h"
#include "policy/listing.h"
#include "policy/toml_text.h"

namespace holdfast::policy {
namespace {

constexpr char kAllowed[] = "the policy that recorded allows it, and did not report that";

bool reports_all(const Profile& profile) { return profile.log && profile.log->value == HF_LOG_ALL; }

std::string quoted(std::string_view word) { return fmt::format("\"{}\"", word); }

// Does the profile restrict anything by the key? If not, the backend need not ask about it.
bool has_rule(const Key& key, const Profile& profile) {
  if (place_of(key, profile) == nullptr) return false;
  return std::visit(
      ByType{[&](const WordKey& t) { return (profile.*t.setting)->value != t.loosest(); },
             [&](const TypesKey& t) { return (profile.*t.setting)->value != HF_NS_ALL; },
             [&](const MoversKey& t) { return !(profile.*t.setting)->value.any; },
             [&](const InsideKey& t) { return (profile.*t.setting)->value.kind != HF_INSIDE_ANY; },
             [](const auto&) { return true; }},
      key.type);
}

void add_word(LearnedSetting& learned, const std::string& word) {
  if (std::ranges::find(learned.values, word, &Needed::value) == learned.values.end())
    learned.values.push_back({word, {}, kAllowed});
}

// "any" and the other single words that are no list.
bool is_single(const LearnedSetting& learned, std::string_view word) {
  return !learned.is_list && learned.values.size() == 1 && learned.values[0].value == quoted(word);
}

std::size_t looseness(const WordKey& key, std::string_view value) {
  for (std::size_t i = 0; i < key.words.size(); i++)
    if (quoted(name_of(key.words, key.order[i])) == value) return i;
  return 0;
}

LearnedSetting widen_word(const WordKey& key, const Profile& profile, LearnedSetting learned) {
  const std::string own = quoted(name_of(key.words, (profile.*key.setting)->value));
  if (!learned.stated || learned.values.empty()) return learned;
  if (looseness(key, own) > looseness(key, learned.values[0].value))
    learned.values = {{own, {}, kAllowed}};
  return learned;
}

LearnedSetting widen_movers(const Movers& own, LearnedSetting learned) {
  if (is_single(learned, "any")) return learned;
  for (const ProfileName& name : own.names) add_word(learned, quoted(name.name));
  return learned;
}

LearnedSetting widen_inside(const Inside& own, LearnedSetting learned) {
  if (is_single(learned, "any")) return learned;
  learned.is_list = true;
  if (own.kind == HF_INSIDE_DELEGATED) add_word(learned, quoted("delegated"));
  for (const ProfileName& name : own.names) add_word(learned, quoted(name.name));
  return learned;
}

LearnedSetting widen_by(const Key& key, const Profile& profile, LearnedSetting learned) {
  return std::visit(
      ByType{[&](const WordKey& t) { return widen_word(t, profile, std::move(learned)); },
             [&](const TypesKey& t) {
               if (is_single(learned, "any")) return learned;
               for (const Name& type : kNsTypeNames)
                 if (((profile.*t.setting)->value & type.value) != 0)
                   add_word(learned, quoted(type.text));
               return learned;
             },
             [&](const MoversKey& t) {
               return widen_movers((profile.*t.setting)->value, std::move(learned));
             },
             [&](const InsideKey& t) {
               return widen_inside((profile.*t.setting)->value, std::move(learned));
             },
             [&](const auto&) { return learned; }},
      key.type);
}

void note(std::vector<std::string>& notes, std::string text) {
  if (std::ranges::find(notes, text) == notes.end()) notes.push_back(std::move(text));
}

void note_denials(std::vector<std::string>& notes, const std::string& profile) {
  note(notes,
       fmt::format("profile {} was recorded without log = \"all\": what its policy allowed is "
                   "not in the events, so the proposal allows it too",
                   profile));
}

}  // namespace

std::vector<const Profile*> Recorded::profiles(const std::string& name) const {
  std::vector<const Profile*> found;
  for (const Model& model : recorders_)
    for (const Profile& profile : model.profiles)
      if (profile.name == name) found.push_back(&profile);
  return found;
}

bool Recorded::rules_about(About about, const std::string& profile) const {
  for (const Profile* recorder : profiles(profile)) {
    if (about == About::sockets && !recorder->sockets.empty()) return true;
    for (const Key& key : kKeys)
      if (key.about == about && has_rule(key, *recorder)) return true;
  }
  return false;
}

LearnedSetting Recorded::widen(const Key& key, const std::string& profile, LearnedSetting learned,
                               std::vector<std::string>& notes) const {
  for (const Profile* recorder : profiles(profile)) {
    if (!has_rule(key, *recorder)) {
      note(notes,
           fmt::format("profile {}: nothing is proposed for {}: the policy that recorded has "
                       "no rule about it, so what happened is not in the events",
                       profile, key.name));
      return {};
    }
    if (reports_all(*recorder)) continue;
    note_denials(notes, profile);
    learned = widen_by(key, *recorder, std::move(learned));
  }
  return learned;
}

std::optional<std::uint32_t> Recorded::socket_ops(const std::string& profile,
                                                  std::vector<std::string>& notes) const {
  const auto recorders = profiles(profile);
  if (recorders.empty()) return std::nullopt;
  std::uint32_t all = HF_SOCK_OPS_ALL;
  for (const Profile* recorder : recorders) {
    std::uint32_t ops = 0;
    for (const SocketRule& rule : recorder->sockets) ops |= rule.ops;
    all &= ops;
  }
  if (all != HF_SOCK_OPS_ALL)
    note(notes,
         fmt::format("profile {}: nothing is proposed for {} of sockets: the policy that recorded "
                     "has no rule about that",
                     profile, mask_text(kSocketOpNames, HF_SOCK_OPS_ALL & ~all, ", ")));
  return all;
}

std::string Recorded::socket_rules(const std::string& profile,
                                   std::vector<std::string>& notes) const {
  for (const Profile* recorder : profiles(profile)) {
    if (recorder->sockets.empty() || reports_all(*recorder)) continue;
    note_denials(notes, profile);
    std::string text;
    for (const SocketRule& rule : recorder->sockets)
      text += fmt::format("\n[[profile.{}.socket]]  # from {}\n{}", toml_key(profile),
                          rule.where.place(), socket_rule_text(rule, "\n") + "\n");
    return text;
  }
  return "";
}

}  // namespace holdfast::policy
