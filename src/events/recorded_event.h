// SPDX-License-Identifier: Apache-2.0
// A line of an event file about a decision, parsed once.
#ifndef HOLDFAST_EVENTS_RECORDED_EVENT_H
#define HOLDFAST_EVENTS_RECORDED_EVENT_H

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "events/event_text.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Identifies the policy that decided: its generation (0 for `holdfast run`), and the digest of its
// text ("" if the line is of a version without digests).
struct EventOrigin {
  std::uint64_t generation = 0;
  std::string digest;
};

// The names that events use. With a policy of just these names, event() loses nothing.
struct EventNames {
  std::set<std::string> profiles;
  std::set<std::string> label_names;
  std::set<std::string> label_values;
};

// A field that is missing or has another type counts as 0 or "", except in event(). One thread.
class RecordedEvent {
 public:
  // Errors: EINVAL the line is not a JSON object.
  [[nodiscard]] static Result<RecordedEvent> parse(std::string_view line);
  RecordedEvent(RecordedEvent&& other) noexcept;
  RecordedEvent& operator=(RecordedEvent&& other) noexcept;
  ~RecordedEvent();

  // The reverse of event_json(). Looks up profiles and labels by name in `policy`, which may be
  // another policy. A profile that it does not have becomes "no profile", and a label value that it
  // does not name becomes "other". With the policy that decided, the request is rebuilt exactly.
  // Errors: EINVAL the line is not an event, with the reason in the detail.
  [[nodiscard]] Result<hf_event> event(const Compiled& policy) const;

  // Empty: the line has none.
  [[nodiscard]] std::optional<std::uint64_t> id() const;
  [[nodiscard]] EventOrigin origin() const;
  // The rule that decided, as recorded. Empty: none did.
  [[nodiscard]] std::optional<Rule> rule() const;
  // The paths of the event. Empty strings: it has none.
  [[nodiscard]] EventPaths paths() const;
  // Adds the names of the line.
  void collect_names(EventNames& names) const;

  // Text that is equal for events with the same facts. The numbers of sandboxes count only by which
  // of them are equal, since a decision depends on no more. So the number of such texts does not
  // grow with the number of runs.
  [[nodiscard]] std::string facts() const;

  // A policy without tables that has just the names of the line. With it the event can be shown as
  // it was recorded, without the policy that decided.
  [[nodiscard]] Compiled recorded_policy() const;

 private:
  struct Parsed;
  explicit RecordedEvent(std::unique_ptr<const Parsed> parsed);

  std::unique_ptr<const Parsed> parsed_;
};

// The request with its sandboxes numbered from 1 on, by which of them are equal.
[[nodiscard]] hf_request with_plain_sets(hf_request request);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_RECORDED_EVENT_H
