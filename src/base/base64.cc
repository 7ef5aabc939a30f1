// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <cstdint>

namespace holdfast {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kDigitBits = 6;
constexpr unsigned kByteBits = 8;
constexpr std::size_t kGroup = 4;  // digits for each three bytes

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text;
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    pending = pending << kByteBits | static_cast<unsigned char>(c);
    for (bits += kByteBits; bits >= kDigitBits; bits -= kDigitBits)
      text += kDigits[pending >> (bits - kDigitBits) & 0x3f];
  }
  if (bits > 0) text += kDigits[pending << (kDigitBits - bits) & 0x3f];
  while (text.size() % kGroup != 0) text += '=';
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % kGroup != 0) return std::nullopt;
  const std::size_t digits = text.substr(0, text.find('=')).size();
  if (text.size() - digits > 2) return std::nullopt;
  std::string bytes;
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (i >= digits && text[i] != '=') return std::nullopt;
    if (i >= digits) continue;
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    pending = pending << kDigitBits | static_cast<std::uint32_t>(digit);
    bits += kDigitBits;
    if (bits < kByteBits) continue;
    bits -= kByteBits;
    bytes += static_cast<char>(pending >> bits & 0xff);
  }
  // The unused bits of the last digit must be zero.
  if ((pending & ((1u << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace holdfast
