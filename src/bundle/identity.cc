// SPDX-License-Identifier: Apache-2.0
#include "bundle/identity.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "bundle/signature.h"
#include "kernel/files/plain_file.h"

namespace holdfast::bundle {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kMaxIdFile = 4096;  // bytes

}  // namespace

Result<std::string> machine_identity(const std::string& file) {
  HF_TRY_ASSIGN(auto id, kernel::read_plain_file(file, kMaxIdFile));
  if (id.ends_with('\n')) id.pop_back();
  const bool is_id = id.size() == kIdDigits && std::ranges::all_of(id, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!is_id) return Error{EINVAL, "read", file, "it has no machine id"};
  HF_TRY_ASSIGN(const auto digest, sha256("holdfast machine\n" + id));
  return digest.substr(0, kIdDigits);
}

Result<unsigned> ring_number(std::string_view identity) {
  HF_TRY_ASSIGN(const auto digest, sha256("holdfast ring\n" + std::string(identity)));
  const auto value = number<std::uint64_t>(digest.substr(0, 15), 16);
  return static_cast<unsigned>(value.value_or(0) % 100) + 1;
}

}  // namespace holdfast::bundle
