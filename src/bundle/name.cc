// SPDX-License-Identifier: Apache-2.0
#include "bundle/name.h"

#include <algorithm>

#include "base/text.h"

namespace holdfast::bundle {
namespace {

constexpr std::size_t kMaxNumbers = 8;
constexpr std::size_t kMaxDigits = 9;
constexpr std::size_t kMaxWord = 64;   // bytes
constexpr std::size_t kMaxPath = 200;  // bytes
constexpr std::string_view kPolicy = ".toml";
constexpr std::string_view kDropIns = ".toml.d";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_part(std::string_view part, std::string_view ending) {
  return part.size() > ending.size() && part.ends_with(ending) && !part.starts_with('.') &&
         std::ranges::all_of(part, [](char c) {
           return is_letter_or_digit(c) ||
                  std::string_view("_-.@:").find(c) != std::string_view::npos;
         });
}

}  // namespace

std::optional<Name> Name::parse(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  std::string_view rest = text;
  while (true) {
    const std::size_t end = std::min(rest.find_first_of(".-"), rest.size());
    const std::string_view digits = rest.substr(0, end);
    const auto value = number<std::uint32_t>(digits);
    if (!value || digits.size() > kMaxDigits || numbers.size() == kMaxNumbers) return std::nullopt;
    numbers.push_back(*value);
    if (end == rest.size()) return Name(std::string(text), std::move(numbers));
    rest.remove_prefix(end + 1);
  }
}

bool is_policy_path(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (path.size() > kMaxPath) return false;
  if (slash == std::string_view::npos) return is_part(path, kPolicy);
  return is_part(path.substr(0, slash), kDropIns) && is_part(path.substr(slash + 1), kPolicy);
}

bool is_check_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxWord && std::ranges::all_of(name, [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-';
  });
}

}  // namespace holdfast::bundle
