// SPDX-License-Identifier: Apache-2.0
// A delegation set. It is parsed and printed exactly as in the kernel (kernel/bpf/inode.c:
// bpf_parse_param(), seq_print_delegate_opts()).
#ifndef HOLDFAST_DELEGATE_SET_H
#define HOLDFAST_DELEGATE_SET_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "delegate/vocabulary.h"

namespace holdfast::delegate {

// Bit n: the value n of the kind's enum is delegated.
struct Set {
  std::array<std::uint64_t, kKinds.size()> masks{};

  [[nodiscard]] std::uint64_t& operator[](Kind kind) {
    return masks[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t operator[](Kind kind) const {
    return masks[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] bool has(Kind kind, std::uint32_t value) const {
    return value < 64 && ((*this)[kind] >> value & 1) != 0;
  }
  [[nodiscard]] bool empty() const { return masks == decltype(masks){}; }
  bool operator==(const Set&) const = default;
};

struct Parsed {
  std::uint64_t mask = 0;
  // Warnings about results that the author may not expect: a number that replaces the words before
  // it, and bits that this kernel does not know.
  std::vector<std::string> surprises;
};

// Pure. Parses the value of one mount option: parts joined by ':'. A part is a word without prefix
// in upper or lower case, "any" in lower case, or a number as in kstrtou64(). A number *replaces*
// the parts before it. Errors: EINVAL, as in the kernel; Error::object is the invalid word.
[[nodiscard]] Result<Parsed> parse(Kind kind, std::string_view text, const Vocabulary& vocabulary);

// Pure. The value as mountinfo shows it after "delegate_cmds=": "" for an empty mask, "any" for all
// bits that the vocabulary has. Other bits are not printed.
[[nodiscard]] std::string print(Kind kind, std::uint64_t mask, const Vocabulary& vocabulary);

// Pure. The options that are not empty, in order:
// "delegate_cmds=map_create:prog_load,delegate_maps=array".
[[nodiscard]] std::string print(const Set& set, const Vocabulary& vocabulary);

// Pure. Parses the delegate_* options among comma-separated mount options. Ignores other options.
// The masks of repeated options are combined. Errors: as parse().
[[nodiscard]] Result<Set> parse_options(std::string_view options, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_SET_H
