// SPDX-License-Identifier: Apache-2.0
// A TOML file as a tree of values with places. Only document.cc uses the TOML library, with its
// types and exceptions.
#ifndef HOLDFAST_POLICY_DOCUMENT_H
#define HOLDFAST_POLICY_DOCUMENT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/load.h"

namespace holdfast::policy {

inline constexpr std::size_t kMaxSourceBytes = 4u << 20;

enum class Kind { string, integer, boolean, array, table, other };

// "a string", "an integer", …, "a date or a fraction"
[[nodiscard]] std::string_view to_string(Kind kind);

struct Entry;

struct Value {
  Kind kind = Kind::other;
  Span where;
  std::string string;  // with Kind::string
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<Value> items;    // with Kind::array
  std::vector<Entry> entries;  // with Kind::table, in the order of the file

  // The entry of a table with that key, or null.
  [[nodiscard]] const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Span key_where;  // of the last part of a dotted key
  Span where;      // from the first part of the key to the end of the value, on the key's line
  Value value;
};

// The value as TOML: "none" in quotes, ["user", "net"].
[[nodiscard]] std::string text_of(const Value& value);

// Fills `root` (a table) from one source. After a syntax error adds one diagnostic and leaves
// `root` empty, because the meaning of the rest of the file is uncertain.
void parse_document(const Source& source, Value& root, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_DOCUMENT_H
