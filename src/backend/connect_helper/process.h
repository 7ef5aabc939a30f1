// SPDX-License-Identifier: Apache-2.0
// The process that backend/connect_helper/door.h starts and talks to.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H

#include <string_view>

namespace holdfast::run {

// Is the program to be a door, by its only argument?
[[nodiscard]] bool is_door_argument(std::string_view argument);

// What such a process does until holdfast closes its end of the channel, which is descriptor 3.
[[noreturn]] void run_door();

}  // namespace holdfast::run

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROCESS_H
