// SPDX-License-Identifier: Apache-2.0
// Any bytes as tables. Most of the 650 KiB never matter, so the input is a list of patches on valid
// tables: two bytes of count and then, for each, an offset and a byte. The rest of the input is a
// request. Whatever the loader says, deciding must stay within the tables and give a verdict that
// has a name.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/decide.h"
#include "policy/enum_names.h"
#include "policy/load.h"
#include "policy/tables.h"

using namespace holdfast::policy;

namespace {

constexpr char kPolicy[] = R"(version = 1
[profile.a]
cgroup = "/a"
namespaces = { create = ["net"], enter = "lock", track = true, visitors = "lock" }
cgroups = { leave = ["b"], join = ["a", "b"], inside = "delegated" }
[[profile.a.socket]]
on = ["connect"]
label = { "user.x" = "y", "user.z" = false }
peer = { "user.x" = "*" }
verdict = "deny"
[[profile.a.socket]]
on = ["send"]
rate = "5/s"
[profile.b]
mode = "audit"
bpf.delegate.maps = ["array"]
)";

struct Patch {
  std::uint32_t offset;
  std::uint8_t byte;
} __attribute__((packed));

void require(bool holds) {
  if (!holds) std::abort();
}

const hf_tables& valid_tables() {
  static const LoadResult result = load({{"fuzz", kPolicy}});
  require(result.policy != nullptr);
  return *result.policy->tables;
}

// Most patches should land where something is: the header and the first profiles, sets and rules.
std::size_t interesting(std::uint32_t offset) {
  constexpr std::size_t kSpan = 512;
  const std::size_t starts[] = {0, offsetof(hf_tables, mover_sets),
                                offsetof(hf_tables, socket_rules), offset};
  return (starts[offset >> 30] + offset % kSpan) % sizeof(hf_tables);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint16_t count = 0;
  if (size < sizeof(count)) return 0;
  std::memcpy(&count, data, sizeof(count));
  std::size_t at = sizeof(count);
  // On the heap and not larger than it is, so that the sanitizer sees a read beyond.
  const auto tables = std::make_unique<hf_tables>(valid_tables());
  auto* bytes = reinterpret_cast<std::uint8_t*>(tables.get());
  for (; count > 0 && size - at >= sizeof(Patch); count--, at += sizeof(Patch)) {
    Patch patch;
    std::memcpy(&patch, data + at, sizeof(patch));
    bytes[interesting(patch.offset)] = patch.byte;
  }
  const auto valid = validate_tables(tables.get(), sizeof(*tables));
  require(!validate_tables(tables.get(), sizeof(*tables) - 1));
  hf_request request{};
  std::memcpy(&request, data + at, size - at < sizeof(request) ? size - at : sizeof(request));
  hf_verdict verdict;
  hf_decide(tables.get(), &request, &verdict);
  require(!name_of(kVerdictNames, verdict.action).empty());
  require(!name_of(kReasonNames, verdict.reason).empty());
  if (valid) require(verdict.mode <= HF_MODE_AUDIT && verdict.profile < tables->profile_count);
  return 0;
}
