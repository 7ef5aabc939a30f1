// SPDX-License-Identifier: Apache-2.0
// Any bytes as an event: refused, or read; what was read and written again reads the same, and what
// was recorded can be told without its policy. Any bytes as the text of a policy.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "events/event_json.h"
#include "events/event_text.h"
#include "events/recorded_event.h"
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
  const auto parsed = RecordedEvent::parse(line);
  (void)generation_from_json(line, parsed ? parsed->origin().generation : 0);
  (void)policy_from_line(line);
  if (!parsed) return 0;
  (void)parsed->facts();
  const Compiled recorded = parsed->recorded_policy();
  if (const auto told = parsed->event(recorded)) {
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
