// SPDX-License-Identifier: Apache-2.0
#include "delegate/set.h"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

namespace holdfast::delegate {
namespace {

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// As kstrtou64() with base 0 (lib/kstrtox.c): an optional '+', a prefix for the base, an optional
// newline at the end.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  int base = 10;
  if (text.starts_with('0')) {
    base = 8;
    if (text.size() > 2 && (text[1] == 'x' || text[1] == 'X') && is_hex_digit(text[2])) {
      base = 16;
      text.remove_prefix(2);
    }
  }
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> find_word(const Vocabulary::Part& part, std::string_view text) {
  for (const Word& word : part.words) {
    if (word.text.size() == text.size() &&
        ::strncasecmp(word.text.data(), text.data(), text.size()) == 0)
      return word.value;
  }
  return std::nullopt;
}

}  // namespace

Result<Parsed> parse(Kind kind, std::string_view text, const Vocabulary& vocabulary) {
  const Vocabulary::Part& part = vocabulary.of(kind);
  Parsed out;
  bool any = false;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t colon = std::min(text.find(':', start), text.size());
    const std::string_view word = text.substr(start, colon - start);
    if (word == "any") {
      out.mask = ~std::uint64_t{0};
      any = true;
    } else if (const auto value = find_word(part, word)) {
      out.mask |= std::uint64_t{1} << *value;
    } else if (const auto number = parse_number(word)) {
      if (start > 0)
        out.surprises.push_back(
            fmt::format("'{}' replaces '{}' before it", word, text.substr(0, start - 1)));
      out.mask = *number;
      any = false;
    } else {
      return Error{EINVAL,
                   word.empty() ? "a word is missing" : "unknown BPF " + std::string(noun_of(kind)),
                   std::string(word), ""};
    }
    start = colon + 1;
  }
  const std::uint64_t unknown = out.mask & ~part.any;
  if (unknown != 0 && !any && out.mask != ~std::uint64_t{0})
    out.surprises.push_back(
        fmt::format("{:#x} is not known to {} and grants nothing", unknown,
                    vocabulary.source == Vocabulary::Source::kKernel ? "this kernel" : "holdfast"));
  return out;
}

std::string print(Kind kind, std::uint64_t mask, const Vocabulary& vocabulary) {
  const Vocabulary::Part& part = vocabulary.of(kind);
  mask &= part.any;
  if (mask == 0) return "";
  if (mask == part.any) return "any";
  std::string text;
  for (const Word& word : part.words) {
    const std::uint64_t bit = std::uint64_t{1} << word.value;
    if ((mask & bit) == 0) continue;
    if (!text.empty()) text += ':';
    text += word.text;
    mask &= ~bit;
  }
  if (mask != 0) text += fmt::format("{}{:#x}", text.empty() ? "" : ":", mask);
  return text;
}

std::string print(const Set& set, const Vocabulary& vocabulary) {
  std::string text;
  for (const Kind kind : kKinds) {
    const std::string value = print(kind, set[kind], vocabulary);
    if (!value.empty())
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", option_of(kind), value);
  }
  return text;
}

Result<Set> parse_options(std::string_view options, const Vocabulary& vocabulary) {
  Set set;
  for (std::size_t start = 0; start < options.size();) {
    const std::size_t comma = std::min(options.find(',', start), options.size());
    const std::string_view option = options.substr(start, comma - start);
    start = comma + 1;
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) continue;
    for (const Kind kind : kKinds) {
      if (option.substr(0, equals) != option_of(kind)) continue;
      auto parsed = parse(kind, option.substr(equals + 1), vocabulary);
      if (!parsed) return wrap(std::move(parsed).error(), option_of(kind));
      set[kind] |= parsed->mask;
    }
  }
  return set;
}

}  // namespace holdfast::delegate
