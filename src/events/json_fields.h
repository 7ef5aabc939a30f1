// SPDX-License-Identifier: Apache-2.0
// Fields of JSON that may be anybody's: what is missing or of another type counts as nothing.
#ifndef HOLDFAST_EVENTS_JSON_FIELDS_H
#define HOLDFAST_EVENTS_JSON_FIELDS_H

#include <string>

namespace holdfast::policy {

// 0: there is no such field, or it is no unsigned number. `json` is an object of nlohmann::json or
// nlohmann::ordered_json.
template <typename T, typename Json>
[[nodiscard]] T number_in(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_number_unsigned() ? at->template get<T>() : T{0};
}

// Empty: there is no such field, or it is no string.
template <typename Json>
[[nodiscard]] std::string text_in(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->template get<std::string>() : std::string();
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_JSON_FIELDS_H
