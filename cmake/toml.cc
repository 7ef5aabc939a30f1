// SPDX-License-Identifier: Apache-2.0
// The one translation unit that holds toml++'s implementation.
//
// The parser of 3.3 states some of its conditions only as assertions, and input can break them: `[[[a]]]`
// (marzer/tomlplusplus#301). A debug build would abort and an optimised one go on regardless, so here a broken
// condition throws in every build, like any other syntax error.
#undef NDEBUG
#include <stdexcept>

[[noreturn]] static void toml_condition_broken() { throw std::logic_error("not TOML"); }
#define TOML_ASSERT(condition) (static_cast<bool>(condition) ? void() : toml_condition_broken())

#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
