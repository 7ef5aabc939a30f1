// SPDX-License-Identifier: Apache-2.0
// Reads the events of many machines from PostgreSQL (packaging/fleet/schema.sql). The client is
// psql(1), since no client library links statically.
#ifndef HOLDFAST_CLI_FLEET_EVENTS_H
#define HOLDFAST_CLI_FLEET_EVENTS_H

#include <string>

#include "base/result.h"
#include "cli/progress.h"
#include "events/event_file.h"

namespace holdfast::cli {

struct FleetEvents {
  std::string database;  // postgresql://…
  std::string machine;   // 32 hexadecimal digits; empty: all machines
  std::string since;     // YYYY-MM-DD; empty: no limit
  std::string until;     // the last day
};

// Passes each event to the sink, by day, machine and sequence number. The memory does not depend on
// their number. Errors: EINVAL an argument is none of these; EIO psql has failed, so that events may
// be missing; those of starting it and of the sink.
[[nodiscard]] Result<void> read_fleet_events(const FleetEvents& wanted, Progress& progress,
                                             const policy::LineSink& sink);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_FLEET_EVENTS_H
