// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request: refused with a reason, or explained in lines that are safe to print.
#include <cstdint>
#include <cstdlib>

#include "explain/request.h"
#include "explain/why.h"
#include "policy/compile.h"
#include "policy/parse.h"

using namespace holdfast::policy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const ParseResult& parsed() {
  static const ParseResult result = parse({{"fuzz.toml", R"(version = 1
[profile.a]
cgroup = ["/a", "/b*/c"]
namespaces = { create = ["net"], enter = "lock", track = true, visitors = "lock" }
cgroups = { leave = ["b"], inside = "delegated" }
bpf.delegate.maps = ["array"]
[[profile.a.socket]]
on = ["connect"]
label = { "user.x" = "y" }
verdict = "deny"
[profile.b]
namespaces.enter = "own"
)"}});
  require(result.diagnostics.empty());
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto compiled = compile(parsed().model);
  const auto request = parse_request({reinterpret_cast<const char*>(data), size}, *compiled);
  if (!request) {
    require(!request.error().detail.empty());
    return 0;
  }
  const std::string text = explain(parsed().model, *compiled, *request);
  require(text.find('\x1b') == std::string::npos && text.ends_with('\n'));
  return 0;
}
