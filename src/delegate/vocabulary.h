// SPDX-License-Identifier: Apache-2.0
// The words that one kernel has for BPF commands, map types, program types and attach types.
#ifndef HOLDFAST_DELEGATE_VOCABULARY_H
#define HOLDFAST_DELEGATE_VOCABULARY_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::delegate {

// What can be delegated, in the order in which the kernel prints it.
enum class Kind : std::uint8_t { kCommands, kMaps, kPrograms, kAttachments };
inline constexpr std::array<Kind, 4> kKinds = {Kind::kCommands, Kind::kMaps, Kind::kPrograms,
                                               Kind::kAttachments};

// "delegate_cmds", …: the mount option.
[[nodiscard]] std::string_view option_of(Kind kind);
// "command", "map type", "program type", "attach type"
[[nodiscard]] std::string_view noun_of(Kind kind);

struct Word {
  std::uint32_t value = 0;  // below 64
  std::string text;
};

struct Vocabulary {
  enum class Source : std::uint8_t { kKernel, kBuiltIn };

  struct Part {
    std::vector<Word>
        words;  // in the enum's order; of several words for a value the first is printed
    std::uint64_t any = 0;  // a bit for every value this kernel knows
  };

  std::array<Part, kKinds.size()> parts;
  Source source = Source::kBuiltIn;

  [[nodiscard]] const Part& of(Kind kind) const { return parts[static_cast<std::size_t>(kind)]; }
  // "" when this kernel has no word for it.
  [[nodiscard]] std::string_view word(Kind kind, std::uint32_t value) const;
};

// What holdfast was built with. Its `any` is not the running kernel's.
[[nodiscard]] Vocabulary built_in_vocabulary();

// The running kernel's. Errors: ENOENT when it has no type information or is older than delegation.
[[nodiscard]] Result<Vocabulary> kernel_vocabulary();

// The kernel's, else the built-in one.
[[nodiscard]] Vocabulary vocabulary_here();

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_VOCABULARY_H
