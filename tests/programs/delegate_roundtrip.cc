// SPDX-License-Identifier: Apache-2.0
// delegate_roundtrip DIRECTORY SEED COUNT: what holdfast reads and prints of delegation is what
// this kernel does. Each round writes random options in random spelling, gives them to the kernel
// as they are, and compares: both refuse or both accept; mountinfo shows what we would print; what
// mountinfo shows reads back as the same set. Needs root of the initial user namespace.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "delegate/mounts.h"
#include "delegate/set.h"
#include "kernel/bpf/bpffs.h"

namespace {

using namespace holdfast;
using delegate::Kind;
using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t end) { return random() % end; }

std::string random_case(Random& random, std::string text) {
  if (below(random, 2) == 0) return text;
  for (char& c : text) c = static_cast<char>(below(random, 2) == 0 ? std::toupper(c) : c);
  return text;
}

std::string random_number(Random& random) {
  const std::uint64_t number = random() >> below(random, 64);
  switch (below(random, 4)) {
    case 0:
      return fmt::format("{}", number);
    case 1:
      return fmt::format("0{:o}", number);
    case 2:
      return fmt::format("+{:#x}", number);
    default:
      return fmt::format("{:#X}", number);
  }
}

std::string random_junk(Random& random) {
  static const std::string kLetters = "0x19afZ_:+- any";
  std::string text;
  for (std::uint64_t n = below(random, 6); n > 0; n--)
    text += kLetters[below(random, kLetters.size())];
  return text;
}

// The kernel takes at most 255 bytes in one string.
std::string random_value(Random& random, Kind kind, const delegate::Vocabulary& vocabulary) {
  const auto& words = vocabulary.of(kind).words;
  std::string value;
  const std::uint64_t parts = 1 + below(random, 8);
  for (std::uint64_t i = 0; i < parts; i++) {
    const std::uint64_t choice = below(random, 40);
    std::string part = choice == 0   ? random_junk(random)
                       : choice == 1 ? "any"
                       : choice < 4  ? random_number(random)
                                     : random_case(random, words[below(random, words.size())].text);
    if (value.size() + part.size() > 250) break;
    if (i > 0) value += ':';
    value += part;
  }
  return value;
}

[[noreturn]] void fail(const std::vector<kernel::FsOption>& options, const std::string& what) {
  for (const auto& option : options) fmt::print("  {}={}\n", option.key, option.value);
  fmt::print("{}\n", what);
  std::exit(1);
}

struct DecisionRecord {
  std::vector<kernel::FsOption> options;
  delegate::Set set;
  bool refused = false;  // by our parser
};

DecisionRecord random_question(Random& random, const delegate::Vocabulary& vocabulary) {
  DecisionRecord asked;
  for (std::uint64_t n = 1 + below(random, 5); n > 0 && !asked.refused; n--) {
    const Kind kind = delegate::kKinds[below(random, delegate::kKinds.size())];
    asked.options.push_back(
        {std::string(delegate::option_of(kind)), random_value(random, kind, vocabulary)});
    const auto parsed = delegate::parse(kind, asked.options.back().value, vocabulary);
    if (parsed)
      asked.set[kind] |= parsed->mask;
    else
      asked.refused = true;
  }
  return asked;
}

bool one_round(Random& random, const std::string& directory,
               const delegate::Vocabulary& vocabulary) {
  const DecisionRecord asked = random_question(random, vocabulary);
  const auto context = kernel::open_bpffs_context();
  if (!context) fail({}, context.error().message());
  const auto created = kernel::create_bpffs(context->get(), asked.options);
  if (asked.refused) {
    if (created || created.error().code != EINVAL)
      fail(asked.options, "the kernel takes what the parser refuses");
    return false;
  }
  if (!created)
    fail(asked.options, "the parser takes what the kernel refuses: " + created.error().message());
  const auto mount = kernel::mount_bpffs(context->get());
  if (!mount) fail(asked.options, mount.error().message());
  if (const auto attached = kernel::attach_mount(mount->get(), "", directory); !attached)
    fail(asked.options, attached.error().message());
  const auto shown = delegate::mount_of(directory, vocabulary);
  if (!shown) fail(asked.options, shown.error().message());
  if (const auto detached = kernel::detach_mount(directory); !detached)
    fail(asked.options, detached.error().message());

  const std::string printed = delegate::print(asked.set, vocabulary);
  const std::string wanted = printed.empty() ? "rw" : "rw," + printed;
  if (shown->options != wanted)
    fail(asked.options, "the kernel prints " + shown->options + "\nwe print         " + wanted);
  for (const Kind kind : delegate::kKinds) {
    const std::uint64_t any = vocabulary.of(kind).any;
    if ((shown->set[kind] & any) != (asked.set[kind] & any))
      fail(asked.options, "reads back differently: " + shown->options);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto vocabulary = delegate::kernel_vocabulary();
  if (!vocabulary) {
    fmt::print("{}\n", vocabulary.error().message());
    return 77;
  }
  Random random(std::strtoull(argv[2], nullptr, 10));
  const unsigned long rounds = std::strtoul(argv[3], nullptr, 10);
  unsigned long mounted = 0;
  for (unsigned long i = 0; i < rounds; i++)
    mounted += one_round(random, argv[1], *vocabulary) ? 1 : 0;
  fmt::print("{} mounted, {} refused by both\n", mounted, rounds - mounted);
  // A generator that made only one sort would prove nothing about the other.
  return mounted > rounds / 4 && mounted < rounds ? 0 : 1;
}
