// SPDX-License-Identifier: Apache-2.0
// Reads fields of JSON from an untrusted source. A field that is missing or has another type counts
// as 0 or "".
#ifndef HOLDFAST_EVENTS_JSON_FIELDS_H
#define HOLDFAST_EVENTS_JSON_FIELDS_H

#include <string>

namespace holdfast::policy {

// 0: there is no such field, or it is not an unsigned number. `json` is an object of nlohmann::json
// or nlohmann::ordered_json.
template <typename T, typename Json>
[[nodiscard]] T number_in(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_number_unsigned() ? at->template get<T>() : T{0};
}

// "": there is no such field, or it is not a string.
template <typename Json>
[[nodiscard]] std::string text_in(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->template get<std::string>() : std::string();
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_JSON_FIELDS_H
