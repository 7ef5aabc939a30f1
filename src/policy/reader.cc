// SPDX-License-Identifier: Apache-2.0
#include "policy/reader.h"

#include <fmt/core.h>

#include <algorithm>

#include "policy/suggest.h"

namespace holdfast::policy {

void Reader::error(const Span& where, std::string message, std::string hint) {
  diagnostics_.push_back({where, std::move(message), std::move(hint), ""});
}

void Reader::only_keys(const Value& table, const std::vector<std::string_view>& known,
                       std::string_view of) {
  for (const Entry& entry : table.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    error(entry.key_where, fmt::format("unknown key '{}' in {}", entry.key, of),
          suggest(entry.key, known));
  }
}

bool Reader::expect(const Entry& entry, Kind kind, std::string_view wanted) {
  if (entry.value.kind == kind) return true;
  error(entry.value.where,
        fmt::format("'{}' must be {}, not {}", entry.key, wanted, to_string(entry.value.kind)));
  return false;
}

const Value* Reader::table(const Value& parent, std::string_view key) {
  const Entry* entry = parent.find(key);
  if (entry == nullptr || !expect(*entry, Kind::table, "a table")) return nullptr;
  return &entry->value;
}

Setting<std::string> Reader::string(const Entry* entry) {
  if (entry == nullptr || !expect(*entry, Kind::string, "a string")) return std::nullopt;
  return Stated<std::string>{entry->value.string, entry->value.where, text_of(entry->value)};
}

Setting<bool> Reader::boolean(const Entry* entry) {
  if (entry == nullptr || !expect(*entry, Kind::boolean, "true or false")) return std::nullopt;
  return Stated<bool>{entry->value.boolean, entry->value.where, text_of(entry->value)};
}

Setting<std::uint8_t> Reader::word(const Entry* entry, Names names) {
  if (entry == nullptr) return std::nullopt;
  const std::string wanted = list_of(names);
  if (!expect(*entry, Kind::string, wanted)) return std::nullopt;
  const Value& value = entry->value;
  const auto found = value_of(names, value.string);
  if (!found) {
    error(value.where, fmt::format("'{}' must be {}, not '{}'", entry->key, wanted, value.string),
          suggest(value.string, names));
    return std::nullopt;
  }
  return Stated<std::uint8_t>{static_cast<std::uint8_t>(*found), value.where, text_of(value)};
}

std::vector<Stated<std::string>> Reader::strings(const Entry& entry, Single single) {
  std::vector<Stated<std::string>> found;
  const Value& value = entry.value;
  if (value.kind == Kind::string && single == Single::allowed)
    return {{value.string, value.where, text_of(value)}};
  const std::string_view wanted =
      single == Single::allowed ? "a string or a list of strings" : "a list of strings";
  if (!expect(entry, Kind::array, wanted)) return found;
  for (const Value& item : value.items) {
    if (item.kind == Kind::string) {
      found.push_back({item.string, item.where, text_of(item)});
    } else {
      error(item.where,
            fmt::format("'{}' must be {}; this is {}", entry.key, wanted, to_string(item.kind)));
    }
  }
  return found;
}

Setting<std::uint32_t> Reader::mask(const Entry* entry, Names names, std::uint32_t any) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  Stated<std::uint32_t> stated{0, value.where, text_of(value)};
  const std::string wanted =
      any != 0 ? "\"any\" or a list of " + list_of(names) : "a list of " + list_of(names);
  if (any != 0 && value.kind == Kind::string && value.string == "any") {
    stated.value = any;
    return stated;
  }
  if (value.kind == Kind::string) {
    error(value.where, fmt::format("'{}' must be {}, not \"{}\"", entry->key, wanted, value.string),
          value_of(names, value.string) ? fmt::format("write [\"{}\"]", value.string) : "");
    return std::nullopt;
  }
  if (!expect(*entry, Kind::array, wanted)) return std::nullopt;
  for (const Stated<std::string>& word : strings(*entry, Single::refused)) {
    const auto bit = value_of(names, word.value);
    if (bit) {
      stated.value |= *bit;
    } else {
      error(word.where, fmt::format("'{}' is not one of {}", word.value, list_of(names)),
            suggest(word.value, names));
    }
  }
  return stated;
}

}  // namespace holdfast::policy
