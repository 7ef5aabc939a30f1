// SPDX-License-Identifier: Apache-2.0
// Names of bundles: numbers joined by '.' or '-', such as "2026-11-28.1". The name is the order: a
// bundle is later than another if its first different number is greater.
#ifndef HOLDFAST_BUNDLE_NAME_H
#define HOLDFAST_BUNDLE_NAME_H

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bundle {

class Name {
 public:
  // nullopt: it is no name. At most 8 numbers of at most 9 digits.
  [[nodiscard]] static std::optional<Name> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  // By the numbers alone: "1.2" and "1-02" are equal.
  [[nodiscard]] std::strong_ordering operator<=>(const Name& other) const {
    return numbers_ <=> other.numbers_;
  }
  [[nodiscard]] bool operator==(const Name& other) const { return numbers_ == other.numbers_; }

 private:
  Name(std::string text, std::vector<std::uint32_t> numbers)
      : text_(std::move(text)), numbers_(std::move(numbers)) {}
  std::string text_;
  std::vector<std::uint32_t> numbers_;
};

// May a file of a bundle have this path? "NAME.toml" or "NAME.toml.d/NAME.toml", where NAME has
// letters, digits and the characters '_', '-', '.', '@', ':', and does not begin with '.'.
[[nodiscard]] bool is_policy_path(std::string_view path);

// May a health check have this name? Letters, digits, '_' and '-', at most 64 of them.
[[nodiscard]] bool is_check_name(std::string_view name);

}  // namespace holdfast::bundle

#endif  // HOLDFAST_BUNDLE_NAME_H
