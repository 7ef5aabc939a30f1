// SPDX-License-Identifier: Apache-2.0
// Converts events to the fields of a journal entry. docs/daemon.md lists the fields.
#ifndef HOLDFAST_DAEMON_JOURNAL_ENTRY_H
#define HOLDFAST_DAEMON_JOURNAL_ENTRY_H

#include <string>
#include <vector>

#include "core/guard.h"
#include "events/event_text.h"
#include "kernel/sockets/journal.h"
#include "policy/compiled.h"

namespace holdfast::daemon {

// `message` becomes the field MESSAGE.
[[nodiscard]] std::vector<kernel::JournalField> journal_fields(const hf_event& event,
                                                               const policy::Compiled& policy,
                                                               const policy::EventPaths& paths,
                                                               std::string message);
[[nodiscard]] std::vector<kernel::JournalField> journal_fields(const hf_guard_event& refusal);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_JOURNAL_ENTRY_H
