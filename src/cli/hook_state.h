// SPDX-License-Identifier: Apache-2.0
// How this kernel has a hook, in one word, for `holdfast hooks status` and `holdfast doctor`.
#ifndef HOLDFAST_CLI_HOOK_STATE_H
#define HOLDFAST_CLI_HOOK_STATE_H

#include <string_view>

#include "holdfast/hooks.h"

namespace holdfast::cli {

constexpr std::string_view hook_state_word(holdfast_hook_state state) {
  switch (state) {
    case HOLDFAST_HOOK_NATIVE:
      return "native";
    case HOLDFAST_HOOK_BRIDGED:
      return "bridged";
    case HOLDFAST_HOOK_UNAVAILABLE:
      break;
  }
  return "missing";
}

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_HOOK_STATE_H
