// SPDX-License-Identifier: Apache-2.0
#include "cli/delegation_set.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "policy/suggest.h"

namespace holdfast::cli {
namespace {

using delegate::Kind;
using delegate::Vocabulary;

// Prints that the name is unknown, with a suggestion. Returns the exit status of a usage error.
int fail_word(std::string_view option, Kind kind, const Error& error,
              const Vocabulary& vocabulary) {
  std::vector<std::string_view> words = {"any"};
  for (const delegate::Word& word : vocabulary.of(kind).words) words.push_back(word.text);
  std::string text = fmt::format("{}: {}", option, error.operation);
  if (!error.object.empty()) text += fmt::format(" '{}'", error.object);
  const std::string hint = policy::suggest(error.object, words);
  complain(hint.empty() ? text : text + "; " + hint);
  return kExitUsage;
}

// The command that prints messages.
std::string_view command = "holdfast delegate";

}  // namespace

void complain(std::string_view message) { fmt::print(stderr, "{}: {}\n", command, message); }

void complain_as(std::string_view name) { command = name; }

int fail(const Error& error) {
  complain(error.message());
  return error.code == ENOSYS ? kExitImpossible : kExitFailed;
}

std::vector<SetText> given(const DelegateSetOptions& options, std::string_view prefix) {
  std::vector<SetText> texts;
  const auto add = [&](Kind kind, std::string_view name, std::string text) {
    std::ranges::replace(text, ',', ':');
    if (!text.empty()) texts.push_back({kind, fmt::format("{}{}", prefix, name), std::move(text)});
  };
  add(Kind::kCommands, "commands", options.commands);
  add(Kind::kMaps, "maps", options.maps);
  add(Kind::kPrograms, "programs", options.programs);
  add(Kind::kAttachments, "attachments", options.attachments);
  return texts;
}

SetOrStatus read_set(const std::vector<SetText>& texts, const Vocabulary& vocabulary,
                     Surprises surprises) {
  SetOrStatus out;
  for (const SetText& text : texts) {
    const auto parsed = delegate::parse(text.kind, text.text, vocabulary);
    if (!parsed) return {{}, fail_word(text.option, text.kind, parsed.error(), vocabulary)};
    for (const std::string& surprise : parsed->surprises)
      complain(fmt::format("{}: {}", text.option, surprise));
    if (!parsed->surprises.empty() && surprises == Surprises::kRefuse) return {{}, kExitUsage};
    out.set[text.kind] |= parsed->mask;
  }
  return out;
}

}  // namespace holdfast::cli
