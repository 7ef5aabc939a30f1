// SPDX-License-Identifier: Apache-2.0
// Reads typed settings from a document, and adds a diagnostic for each error.
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
// Words with another meaning in requests. A request could not name a profile with such a name.
inline constexpr std::string_view kReservedProfileNames[] = {"any",  "none",    "own",
                                                             "host", "unknown", "delegated"};
// The largest values of the quotas of BPF.
inline constexpr std::uint64_t kMaxCount = 1'000'000;
inline constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 50;

// A setting with its value, its place and its text.
template <typename T>
Stated<T> stated(const Entry& entry, T value) {
  return {std::move(value), entry.where, text_of(entry.value), entry.value.where};
}

// Functions that take an Entry* return empty for null, which means that the key is absent. For a
// wrong value they add a diagnostic and return empty. Borrows the list of diagnostics.
class Reader {
 public:
  explicit Reader(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  void error(const Span& where, std::string message, std::string hint = "");
  [[nodiscard]] std::size_t mistakes() const { return diagnostics_.size(); }

  // Adds a diagnostic for each key of `table` that is not in `known`. `of` names the table, as
  // "[profile.web]".
  void only_keys(const Value& table, const std::vector<std::string_view>& known,
                 std::string_view of);

  // Is the value of that kind? If not, adds a diagnostic that describes the expected value by
  // `wanted`.
  bool expect(const Entry& entry, Kind kind, std::string_view wanted);

  // The table under `key`. Null: the key is absent, or its value is not a table.
  const Value* table(const Value& parent, std::string_view key);

  Setting<std::string> string(const Entry* entry);
  Setting<bool> boolean(const Entry* entry);
  Setting<std::uint8_t> word(const Entry* entry, Names names);

  // The bits for a list of names. "none" gives 0, and "any" gives the mask `any`.
  Setting<std::uint32_t> mask(const Entry* entry, Names names, std::uint32_t any);

  // The bits for a list of names. The list must not be empty, because nothing would match it.
  std::uint16_t match_mask(const Entry& entry, Names names);

  // The strings of a list. With Single::allowed the value may also be one string.
  enum class Single { refused, allowed };
  std::vector<Stated<std::string>> strings(const Entry& entry, Single single);

 private:
  std::uint64_t bits(const Entry& entry, Names names);
  static std::string single_word_hint(const Value& value, Names names);

  std::vector<Diagnostic>& diagnostics_;
};

// Reads one table [[profile.NAME.socket]].
SocketRule read_socket_rule(const Value& table, Reader& in);
// Values as policy/keys.h describes them. Absence and mistakes as for the functions of Reader.
Setting<BpfMask> read_bpf_names(const Entry* entry, Names names, Reader& in);
Setting<std::uint64_t> read_count(const Entry* entry, Reader& in);
Setting<std::uint64_t> read_bytes(const Entry* entry, Reader& in);
Setting<std::vector<std::string>> read_label_names(const Entry* entry, Reader& in);

// The values of `unit`, as the cgroups of the units (policy/unit_name.h).
std::vector<Stated<std::string>> read_units(const Entry* entry, Reader& in);

// Reads one source.
[[nodiscard]] FileModel read_file_model(const Value& root, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_READER_H
