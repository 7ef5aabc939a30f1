// SPDX-License-Identifier: Apache-2.0
// The one translation unit that holds toml++'s implementation.
#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
