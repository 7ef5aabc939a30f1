// SPDX-License-Identifier: Apache-2.0
// Any bytes as an event: refused, or read; what was read and written again reads the same, and what
// was recorded can be told without its policy. Any bytes as the text of a policy.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "events/event_json.h"
#include "events/event_origin.h"
#include "events/event_text.h"
#include "policy/load.h"
#include "policy/policy_text.h"

using namespace holdfast::policy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const Compiled& policy() {
  static const LoadResult result = load({{"fuzz", R"(version = 1
[profile.a]
namespaces.enter = "none"
[[profile.a.socket]]
on = ["connect"]
label = { "user.x" = "y" }
verdict = "deny"
[profile.b]
)"}});
  require(result.policy != nullptr);
  return *result.policy;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto origin = event_origin(line);
  (void)generation_from_json(line, origin.generation);
  (void)policy_from_line(line);
  const Compiled recorded = recorded_policy(line);
  if (const auto told = event_from_json(line, recorded)) {
    const std::string said = event_text(*told, recorded, Colour::off);
    require(said.find('\x1b') == std::string::npos && said.find('\n') == std::string::npos);
  }
  const auto event = event_from_json(line, policy());
  if (!event) return 0;
  const std::string text = event_text(*event, policy(), Colour::off);
  require(text.find('\x1b') == std::string::npos && text.find('\n') == std::string::npos);
  const std::string written = event_json(*event, policy());
  require(written.find('\n') == std::string::npos);
  const auto again = event_from_json(written, policy());
  require(static_cast<bool>(again));
  require(std::memcmp(&event->request, &again->request, sizeof(hf_request)) == 0);
  require(event->verdict.reason == again->verdict.reason &&
          event->verdict.rule == again->verdict.rule);
  return 0;
}
