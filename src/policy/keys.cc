// SPDX-License-Identifier: Apache-2.0
#include "policy/keys.h"

#include <algorithm>
#include <concepts>

namespace holdfast::policy {

const Key* find_key(std::string_view name) {
  const auto* const at = std::ranges::find(kKeys, name, &Key::name);
  return at == std::end(kKeys) ? nullptr : at;
}

std::vector<std::string_view> parts_below(std::string_view path) {
  std::vector<std::string_view> parts;
  for (const Key& key : kKeys) {
    std::string_view rest = key.name;
    if (!path.empty()) {
      if (!rest.starts_with(path) || rest.size() <= path.size() || rest[path.size()] != '.')
        continue;
      rest.remove_prefix(path.size() + 1);
    }
    const std::string_view part = rest.substr(0, rest.find('.'));
    if (std::ranges::find(parts, part) == parts.end()) parts.push_back(part);
  }
  return parts;
}

const Span* place_of(const Key& key, const Profile& profile) {
  return std::visit(
      [&]<typename Type>(const Type& type) -> const Span* {
        if constexpr (requires { type.setting; })
          return profile.*type.setting ? &(profile.*type.setting)->where : nullptr;
        else
          return nullptr;
      },
      key.type);
}

bool restricts(const Key& key, const hf_profile& slot) {
  const bool stated = key.rule != HF_NO_RULE && slot.rules[key.rule] != HF_RULE_DEFAULT;
  return std::visit(
      ByType{
          [&](const WordKey& type) { return stated && slot.*type.field != type.loosest(); },
          [&](const TypesKey& type) { return stated && slot.*type.field != HF_NS_ALL; },
          [&](const MoversKey& type) { return stated && slot.*type.field != HF_MOVERS_ANY; },
          [&](const InsideKey& type) { return stated && slot.*type.field != HF_INSIDE_ANY; },
          [&](const BpfMaskKey&) { return stated; },
          [&]<std::derived_from<QuotaKey> Type>(const Type&) { return stated; },
          [](const auto&) { return false; },
      },
      key.type);
}

}  // namespace holdfast::policy
