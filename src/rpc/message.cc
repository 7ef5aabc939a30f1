// SPDX-License-Identifier: Apache-2.0
#include "rpc/message.h"

namespace holdfast::rpc {

namespace {

bool is_too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (quoted && c == '\\') {
      i++;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > kMaxNesting) return true;
    } else if (!quoted && (c == '}' || c == ']')) {
      if (depth > 0) depth--;
    }
  }
  return false;
}

}  // namespace

nlohmann::json parse_message(std::string_view text) {
  using Json = nlohmann::json;
  if (is_too_deep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace holdfast::rpc
