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
  return stated(*entry, entry->value.string);
}

Setting<bool> Reader::boolean(const Entry* entry) {
  if (entry == nullptr || !expect(*entry, Kind::boolean, "true or false")) return std::nullopt;
  return stated(*entry, entry->value.boolean);
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
  return stated(*entry, static_cast<std::uint8_t>(*found));
}

std::vector<Stated<std::string>> Reader::strings(const Entry& entry, Single single) {
  std::vector<Stated<std::string>> found;
  const Value& value = entry.value;
  auto add = [&](const Value& item) {
    found.push_back({item.string, entry.where, text_of(item), item.where});
  };
  const std::string_view wanted =
      single == Single::allowed ? "a string or a list of strings" : "a list of strings";
  if (value.kind == Kind::string && single == Single::allowed) {
    add(value);
  } else if (expect(entry, Kind::array, wanted)) {
    for (const Value& item : value.items) {
      if (item.kind == Kind::string) {
        add(item);
      } else {
        error(item.where,
              fmt::format("'{}' must be {}; this is {}", entry.key, wanted, to_string(item.kind)));
      }
    }
  }
  return found;
}

std::uint64_t Reader::bits(const Entry& entry, Names names) {
  std::uint64_t bits = 0;
  for (const Stated<std::string>& word : strings(entry, Single::refused)) {
    const auto bit = value_of(names, word.value);
    if (bit) {
      bits |= *bit;
    } else {
      error(word.value_where, fmt::format("'{}' is not {}", word.value, list_of(names)),
            suggest(word.value, names));
    }
  }
  return bits;
}

std::string Reader::single_word_hint(const Value& value, Names names) {
  if (value_of(names, value.string)) return fmt::format("write [\"{}\"]", value.string);
  std::vector<std::string_view> words = {"any", "none"};
  for (const Name& name : names) words.push_back(name.text);
  return suggest(value.string, words);
}

Setting<std::uint32_t> Reader::mask(const Entry* entry, Names names, std::uint32_t any) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  const std::string wanted = "any, none or a list of " + list_of(names);
  if (value.kind == Kind::string) {
    if (value.string == "any") return stated(*entry, any);
    if (value.string == "none") return stated(*entry, 0u);
    error(value.where, fmt::format("'{}' must be {}, not '{}'", entry->key, wanted, value.string),
          single_word_hint(value, names));
    return std::nullopt;
  }
  if (!expect(*entry, Kind::array, wanted)) return std::nullopt;
  return stated(*entry, static_cast<std::uint32_t>(bits(*entry, names)));
}

std::uint16_t Reader::match_mask(const Entry& entry, Names names) {
  const Value& value = entry.value;
  if (!expect(entry, Kind::array, "a list of " + list_of(names))) return 0;
  if (value.items.empty())
    error(value.where, fmt::format("'{}' is empty: the rule can never match", entry.key));
  return static_cast<std::uint16_t>(bits(entry, names));
}

}  // namespace holdfast::policy
