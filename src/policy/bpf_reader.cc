// SPDX-License-Identifier: Apache-2.0
// Reads the values of [profile.NAME.bpf]: the kernel's names for privileges, and amounts.
#include <fmt/core.h>

#include <charconv>

#include "policy/bpf_names.h"
#include "policy/reader.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

constexpr std::uint32_t kMaskBits = 64;

void set_bit(BpfMask& mask, std::uint32_t bit) {
  if (bit < kMaskBits) {
    mask.low |= std::uint64_t{1} << bit;
  } else {
    mask.high |= std::uint64_t{1} << (bit - kMaskBits);
  }
}

// "64K", "16M", "1G"
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > kMaxBytes) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  constexpr std::string_view kUnits = "KMG";
  const std::size_t power = unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
  if (power == std::string_view::npos) return std::nullopt;
  return value << (10 * (power + 1));
}

}  // namespace

// "any" is the kernel's word in mount options for all values, including future ones.
Setting<BpfMask> read_bpf_names(const Entry* entry, Names names, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  BpfMask mask;
  if (value.kind == Kind::string && value.string == "any")
    return stated(*entry, BpfMask{~std::uint64_t{0}, ~std::uint64_t{0}});
  if (!in.expect(*entry, Kind::array, "any or a list of the kernel's names")) return std::nullopt;
  for (const Stated<std::string>& word : in.strings(*entry, Reader::Single::refused)) {
    if (const auto bit = value_of(names, word.value)) {
      set_bit(mask, *bit);
    } else {
      in.error(word.value_where,
               fmt::format("the kernel has no '{}' among its {}", word.value, entry->key),
               suggest(word.value, names));
    }
  }
  return stated(*entry, mask);
}

Setting<std::uint64_t> read_count(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  if (!in.expect(*entry, Kind::integer, "a number")) return std::nullopt;
  const std::int64_t value = entry->value.integer;
  if (value >= 0 && static_cast<std::uint64_t>(value) <= kMaxCount)
    return stated(*entry, static_cast<std::uint64_t>(value));
  in.error(entry->value.where, fmt::format("{} is not from 0 to {}", value, kMaxCount));
  return std::nullopt;
}

Setting<std::uint64_t> read_bytes(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  std::optional<std::uint64_t> bytes;
  if (value.kind == Kind::integer && value.integer >= 0)
    bytes = static_cast<std::uint64_t>(value.integer);
  if (value.kind == Kind::string) bytes = parse_bytes(value.string);
  if (bytes && *bytes <= kMaxBytes) return stated(*entry, *bytes);
  in.error(value.where, "not an amount of memory", R"(bytes, or a number with K, M or G: "16M")");
  return std::nullopt;
}

}  // namespace holdfast::policy
