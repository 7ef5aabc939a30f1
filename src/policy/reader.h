// SPDX-License-Identifier: Apache-2.0
// Reads typed settings from a document, and notes every mistake on the way.
#ifndef HOLDFAST_POLICY_READER_H
#define HOLDFAST_POLICY_READER_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/enum_names.h"
#include "policy/model.h"

namespace holdfast::policy {

inline constexpr std::size_t kMaxProfileNameBytes = 64;
// Words that requests use for what is not a profile; a profile of that name could never be meant.
inline constexpr std::string_view kReservedProfileNames[] = {"any",  "none",    "own",
                                                             "host", "unknown", "delegated"};
// The most that a quota of BPF may say.
inline constexpr std::uint64_t kMaxCount = 1'000'000;
inline constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 50;

// A statement: its value, its place, and what it looks like.
template <typename T>
Stated<T> stated(const Entry& entry, T value) {
  return {std::move(value), entry.where, text_of(entry.value), entry.value.where};
}

// Functions that take an Entry* accept null, for a key that is absent, and give nothing for it. A
// value that is wrong gives nothing too, after a diagnostic.
class Reader {
 public:
  explicit Reader(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  void error(const Span& where, std::string message, std::string hint = "");
  [[nodiscard]] std::size_t mistakes() const { return diagnostics_.size(); }

  // Reports each key of `table` that is not in `known`. `of` names the table: "[profile.web]".
  void only_keys(const Value& table, const std::vector<std::string_view>& known,
                 std::string_view of);

  // False, after a diagnostic, when the value is not of that kind. `wanted` says what is.
  bool expect(const Entry& entry, Kind kind, std::string_view wanted);

  // The table under `key`, or null.
  const Value* table(const Value& parent, std::string_view key);

  Setting<std::string> string(const Entry* entry);
  Setting<bool> boolean(const Entry* entry);
  Setting<std::uint8_t> word(const Entry* entry, Names names);

  // The bits that a list of words means, or "none" for none, or "any" for all `any`.
  Setting<std::uint32_t> mask(const Entry* entry, Names names, std::uint32_t any);

  // The bits of a list of words that must not be empty, since nothing would ever match it.
  std::uint16_t match_mask(const Entry& entry, Names names);

  // The strings of a list; with `single`, a lone string too.
  enum class Single { refused, allowed };
  std::vector<Stated<std::string>> strings(const Entry& entry, Single single);

 private:
  std::uint64_t bits(const Entry& entry, Names names);
  static std::string single_word_hint(const Value& value, Names names);

  std::vector<Diagnostic>& diagnostics_;
};

// Reads one [[profile.NAME.socket]].
SocketRule read_socket_rule(const Value& table, Reader& in);
// Values as policy/keys.h describes them. Absence and mistakes as for the functions of Reader.
Setting<BpfMask> read_bpf_names(const Entry* entry, Names names, Reader& in);
Setting<std::uint64_t> read_count(const Entry* entry, Reader& in);
Setting<std::uint64_t> read_bytes(const Entry* entry, Reader& in);
Setting<std::vector<std::string>> read_label_names(const Entry* entry, Reader& in);

// Adds what one source says to the model.
void read_model(const Value& root, Model& model, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_READER_H
