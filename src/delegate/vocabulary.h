// SPDX-License-Identifier: Apache-2.0
// The names that a kernel has for BPF commands, map types, program types and attach types.
#ifndef HOLDFAST_DELEGATE_VOCABULARY_H
#define HOLDFAST_DELEGATE_VOCABULARY_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::delegate {

// The kinds of rights that can be delegated, in the order in which the kernel prints them.
enum class Kind : std::uint8_t { kCommands, kMaps, kPrograms, kAttachments };
inline constexpr std::array<Kind, 4> kKinds = {Kind::kCommands, Kind::kMaps, Kind::kPrograms,
                                               Kind::kAttachments};

// The name of the mount option, such as "delegate_cmds".
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
    // In the order of the enum. When a value has several words, the first one is printed.
    std::vector<Word> words;
    std::uint64_t any = 0;  // a bit for each value that this kernel knows
  };

  std::array<Part, kKinds.size()> parts;
  Source source = Source::kBuiltIn;

  [[nodiscard]] const Part& of(Kind kind) const { return parts[static_cast<std::size_t>(kind)]; }
  // "": this kernel has no word for the value. The result borrows this object.
  [[nodiscard]] std::string_view word(Kind kind, std::uint32_t value) const;
};

// The vocabulary compiled into holdfast. Its `any` may differ from that of the running kernel.
[[nodiscard]] Vocabulary built_in_vocabulary();

// The vocabulary of the running kernel. Errors: ENOENT, the kernel has no type information, or is
// older than Linux 6.9.
[[nodiscard]] Result<Vocabulary> kernel_vocabulary();

// The vocabulary of the running kernel, or else the built-in one.
[[nodiscard]] Vocabulary vocabulary_here();

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_VOCABULARY_H
