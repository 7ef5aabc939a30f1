// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstring>

namespace holdfast {

std::string Error::message() const {
  std::string text = operation;
  if (!object.empty()) text += (text.empty() ? "" : " ") + object;
  if (code != 0) {
    if (!text.empty()) text += ": ";
    text += strerrordesc_np(code) != nullptr ? strerrordesc_np(code) : "unknown error";
  }
  if (!detail.empty()) text += " (" + detail + ")";
  return text;
}

Error wrap(Error error, std::string_view operation) {
  error.operation =
      std::string(operation) + (error.operation.empty() ? "" : ": ") + error.operation;
  return error;
}

}  // namespace holdfast
