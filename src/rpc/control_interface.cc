// SPDX-License-Identifier: Apache-2.0
#include "rpc/control_interface.h"

#include "rpc/control_description.h"  // made by CMake from the .varlink file

namespace holdfast::rpc {

std::string control_description() { return kControlDescription; }

}  // namespace holdfast::rpc
