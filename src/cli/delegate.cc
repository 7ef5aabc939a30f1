// SPDX-License-Identifier: Apache-2.0
// `holdfast delegate`: parses delegation sets, explains existing ones, and mounts a new one.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/delegation_set.h"
#include "delegate/explain.h"
#include "delegate/grant.h"
#include "delegate/mounts.h"
#include "delegate/set.h"

namespace holdfast::cli {
namespace {

using delegate::Set;
using delegate::Vocabulary;

// Splits "delegate_cmds=a:b,delegate_maps=c". Empty: another option occurs; it was printed.
std::optional<std::vector<SetText>> split_options(std::string_view options) {
  std::vector<SetText> texts;
  for (std::size_t start = 0; start <= options.size();) {
    const std::size_t end = std::min(options.find(',', start), options.size());
    const std::string_view option = options.substr(start, end - start);
    start = end + 1;
    const std::string_view name = option.substr(0, option.find('='));
    const auto kind = std::ranges::find(delegate::kKinds, name, delegate::option_of);
    if (kind == delegate::kKinds.end() || name.size() == option.size()) {
      complain(fmt::format(
          "'{}' is not delegate_cmds=, delegate_maps=, delegate_progs= or delegate_attachs=",
          option));
      return std::nullopt;
    }
    texts.push_back({*kind, std::string(delegate::option_of(*kind)),
                     std::string(option.substr(name.size() + 1))});
  }
  return texts;
}

void print_source(const Vocabulary& vocabulary) {
  if (vocabulary.source == Vocabulary::Source::kBuiltIn)
    complain(
        "this kernel has no names for delegation; the names are those holdfast was built with");
}

std::optional<pid_t> as_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || stop != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

void print_list(std::string_view title, std::string_view mark,
                const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  fmt::print("  {}\n", title);
  for (const std::string& line : lines) fmt::print("    {}{}\n", mark, line);
}

// What print_explanation() prints, where JSON is wanted.
std::optional<nlohmann::ordered_json> explanations;

void print_explanation(std::string_view what, const Set& set, const Vocabulary& vocabulary) {
  const std::string options = delegate::print(set, vocabulary);
  if (explanations) {
    const delegate::Explanation e = delegate::explain(set, vocabulary);
    explanations->push_back({{"of", what},
                             {"options", options},
                             {"may", e.may},
                             {"may_not", e.may_not},
                             {"lacks", e.lacking},
                             {"warnings", e.warnings}});
    return;
  }
  fmt::print("{}\n", what);
  if (options.empty()) {
    fmt::print("  delegates nothing\n");
    return;
  }
  fmt::print("  {}\n", options);
  const delegate::Explanation e = delegate::explain(set, vocabulary);
  print_list("may", "", e.may);
  print_list("may not", "", e.may_not);
  print_list("lacks", "", e.lacking);
  print_list(
      "can have effects outside of the container, since the kernel does not limit where a program "
      "is attached",
      "! ", e.warnings);
}

int explain_pid(pid_t pid, const Vocabulary& vocabulary) {
  const auto mounts = delegate::mounts_of(pid, vocabulary);
  if (!mounts && mounts.error().code == ENOENT)
    return fail(Error{ESRCH, "find process", fmt::format("{}", pid), ""});
  if (!mounts) return fail(mounts.error());
  bool found = false;
  for (const delegate::Mount& mount : *mounts) {
    if (mount.set.empty()) continue;
    print_explanation(fmt::format("{} of process {}", mount.path, pid), mount.set, vocabulary);
    found = true;
  }
  const auto tokens = delegate::tokens_of(pid);
  if (!tokens) complain(fmt::format("its tokens cannot be read: {}", tokens.error().message()));
  if (tokens) {
    for (const delegate::Token& token : *tokens) {
      print_explanation(fmt::format("token {}", token.path), token.set, vocabulary);
      found = true;
    }
  }
  if (!found && !explanations)
    fmt::print("process {} sees no BPF filesystem with delegation and holds no token\n", pid);
  return kExitOk;
}

int explain_token(const std::string& path, const Vocabulary& vocabulary) {
  const auto token = delegate::token_of(path);
  if (!token) return fail(token.error());
  print_explanation(fmt::format("token {}", token->path), token->set, vocabulary);
  return kExitOk;
}

int explain(const DelegateExplainOptions& options) {
  const Vocabulary vocabulary = delegate::vocabulary_here();
  const std::string& what = options.what;
  if (what.starts_with("delegate_")) {
    const auto texts = split_options(what);
    if (!texts) return kExitUsage;
    const SetOrStatus read = read_set(*texts, vocabulary, Surprises::kTell);
    if (read.status != kExitOk) return read.status;
    print_source(vocabulary);
    print_explanation("this set", read.set, vocabulary);
    return kExitOk;
  }
  // A kernel without BPF tokens has no delegation that could be explained.
  if (vocabulary.source == Vocabulary::Source::kBuiltIn)
    return fail(Error{ENOSYS, "this kernel has no BPF tokens", "", "they came with Linux 6.9"});
  if (const auto pid = as_pid(what)) return explain_pid(*pid, vocabulary);
  if (what.starts_with("fd:")) return explain_token("/proc/self/fd/" + what.substr(3), vocabulary);
  if (what.starts_with("/proc/") && what.find("/fd/") != std::string::npos)
    return explain_token(what, vocabulary);
  const auto mount = delegate::mount_of(what, vocabulary);
  if (!mount) return fail(mount.error());
  print_explanation(fmt::format("{} (mounted at {})", what, mount->path), mount->set, vocabulary);
  return kExitOk;
}

}  // namespace

int delegate_parse(const DelegateParseOptions& options) {
  const Vocabulary vocabulary = delegate::vocabulary_here();
  std::vector<SetText> texts = given(options.set, "--");
  if (!options.options.empty()) {
    auto more = split_options(options.options);
    if (!more) return kExitUsage;
    texts.insert(texts.end(), more->begin(), more->end());
  }
  if (texts.empty()) {
    complain(
        "nothing to parse: give --commands, --maps, --programs, --attachments or mount options");
    return kExitUsage;
  }
  const SetOrStatus read = read_set(texts, vocabulary, Surprises::kTell);
  if (read.status != kExitOk) return read.status;
  print_source(vocabulary);
  const std::string text = delegate::print(read.set, vocabulary);
  fmt::print("{}\n", options.json ? nlohmann::ordered_json({{"options", text}}).dump() : text);
  return kExitOk;
}

int delegate_explain(const DelegateExplainOptions& options) {
  if (!options.json) return explain(options);
  explanations = nlohmann::ordered_json::array();
  const int status = explain(options);
  if (status == kExitOk) fmt::print("{}\n", explanations->dump());
  return status;
}

int delegate_mount(const DelegateMountOptions& options) {
  const auto vocabulary = delegate::kernel_vocabulary();
  // A kernel with tokens may lack the names, but takes numbers. grant() tries it.
  const Vocabulary words = vocabulary ? *vocabulary : delegate::built_in_vocabulary();
  const SetOrStatus read = read_set(given(options.set, "--"), words, Surprises::kRefuse);
  if (read.status != kExitOk) return read.status;
  if (read.set.empty()) {
    complain("nothing to delegate: give --commands, --maps, --programs or --attachments");
    return kExitUsage;
  }
  delegate::Grant grant{.pid = 0, .at = options.at, .set = read.set};
  if (const auto pid = as_pid(options.userns)) {
    grant.pid = *pid;
    if (grant.at.empty()) grant.at = "/sys/fs/bpf";
  } else {
    grant.user_ns = options.userns;
    if (grant.at.empty()) {
      complain(
          "--at is needed when --userns is a file: the filesystem appears in the caller's mount "
          "namespace");
      return kExitUsage;
    }
  }
  if (!grant.at.starts_with('/')) {
    complain("--at takes an absolute path");
    return kExitUsage;
  }
  const auto granted = delegate::grant(grant, words);
  if (!granted) return fail(granted.error());
  fmt::print("{}\n", *granted);
  for (const std::string& warning : delegate::explain(read.set, words).warnings)
    complain("warning: " + warning);
  return kExitOk;
}

}  // namespace holdfast::cli
