// SPDX-License-Identifier: Apache-2.0
#include "policy/enum_names.h"

#include <fmt/core.h>

#include <cstring>

namespace holdfast::policy {

std::string mask_text(Names names, std::uint32_t mask, std::string_view separator) {
  std::string text;
  auto append = [&](std::string_view word) {
    if (!text.empty()) text += separator;
    text += word;
  };
  for (const Name& name : names) {
    if ((mask & name.value) == 0) continue;
    append(name.text);
    mask &= ~name.value;
  }
  if (mask != 0) append(fmt::format("{:#x}", mask));
  return text;
}

std::string list_of(Names names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); i++) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i].text;
  }
  return text;
}

std::string_view describe_reason(std::uint32_t reason) {
  static constexpr Name kTexts[] = {
#define HF_REASON(name, number, word, text) {HF_REASON_##name, text},
#include "core/enums.def"
  };
  const std::string_view text = name_of(kTexts, reason);
  return text.empty() ? "unknown reason" : text;
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : fmt::format("errno {}", error);
}

}  // namespace holdfast::policy
