// SPDX-License-Identifier: Apache-2.0
// A delegation set, written and read exactly as the kernel does (kernel/bpf/inode.c:
// bpf_parse_param, seq_print_delegate_opts).
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
  // Where the kernel does something that the writer may not have meant: a number that replaces the
  // words before it, bits that this kernel does not know.
  std::vector<std::string> surprises;
};

// One mount option's value: words without prefix in any case, "any" in lower case, numbers as
// kstrtou64 reads them, joined by ':'. A number *replaces* what stands before it.
// Errors: EINVAL, as the kernel; Error::object is the word.
[[nodiscard]] Result<Parsed> parse(Kind kind, std::string_view text, const Vocabulary& vocabulary);

// As mountinfo shows it after "delegate_cmds=": "" for nothing, "any" for all that this kernel
// knows; bits above that print nothing.
[[nodiscard]] std::string print(Kind kind, std::uint64_t mask, const Vocabulary& vocabulary);

// "delegate_cmds=map_create:prog_load,delegate_maps=array": the options that are set, in order.
[[nodiscard]] std::string print(const Set& set, const Vocabulary& vocabulary);

// Reads the delegate_* among comma-separated mount options; others are passed over. An option that
// is repeated adds to itself.
[[nodiscard]] Result<Set> parse_options(std::string_view options, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_SET_H
