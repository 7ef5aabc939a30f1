// SPDX-License-Identifier: Apache-2.0
// FNV-1a: a hash for trusted input. It does not resist deliberate collisions.
#ifndef HOLDFAST_BASE_DIGEST_H
#define HOLDFAST_BASE_DIGEST_H

#include <cstdint>
#include <string_view>

namespace holdfast {

inline constexpr std::uint64_t kDigestStart = 0xcbf29ce484222325u;

// The digest of `bytes`. `from` is the digest of the bytes before them.
[[nodiscard]] constexpr std::uint64_t digest_of(std::string_view bytes,
                                                std::uint64_t from = kDigestStart) {
  for (const char byte : bytes) from = (from ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return from;
}

}  // namespace holdfast

#endif  // HOLDFAST_BASE_DIGEST_H
