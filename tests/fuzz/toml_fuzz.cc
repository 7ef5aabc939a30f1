// SPDX-License-Identifier: Apache-2.0
// Any bytes as a policy: a policy or diagnostics, never both, and every diagnostic can be printed.
// What is accepted has valid tables, and the same text gives the same bytes again.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "policy/load.h"
#include "policy/tables.h"

using namespace holdfast::policy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Source source{"fuzz.toml", std::string(reinterpret_cast<const char*>(data), size)};
  const LoadResult first = load({source});
  require((first.policy == nullptr) == !first.diagnostics.empty());
  for (const Diagnostic& diagnostic : first.diagnostics) {
    require(!render(diagnostic).empty());
    require(diagnostic.where.line >= 1 && diagnostic.where.column >= 1);
  }
  if (first.policy == nullptr) return 0;
  const hf_tables& tables = *first.policy->tables;
  require(static_cast<bool>(validate_tables(&tables, sizeof(tables))));
  const LoadResult second = load({source});
  require(second.policy != nullptr);
  require(std::memcmp(&tables, second.policy->tables.get(), sizeof(tables)) == 0);
  return 0;
}
