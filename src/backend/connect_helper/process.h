// SPDX-License-Identifier: Apache-2.0
// The process that backend/connect_helper/client.h starts and talks to.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H

#include <string_view>

namespace holdfast::backend::connect_helper {

// Is the program to be a door, by its only argument?
[[nodiscard]] bool is_connect_helper_argument(std::string_view argument);

// What such a process does until holdfast closes its end of the channel, which is descriptor 3.
[[noreturn]] void run_connect_helper();

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
