// SPDX-License-Identifier: Apache-2.0
// The main function of the connect helper. backend/connect_helper/client.h starts the process.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H

#include <string_view>

namespace holdfast::backend::connect_helper {

// Does the only argument of the program say that it has to be the connect helper?
[[nodiscard]] bool is_connect_helper_argument(std::string_view argument);

// Serves requests from descriptor 3 until holdfast closes the other end, then exits.
[[noreturn]] void run_connect_helper();

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
