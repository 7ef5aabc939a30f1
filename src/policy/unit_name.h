// SPDX-License-Identifier: Apache-2.0
// The cgroups of systemd's units, by the names of the units.
#ifndef HOLDFAST_POLICY_UNIT_NAME_H
#define HOLDFAST_POLICY_UNIT_NAME_H

#include <string>
#include <string_view>

namespace holdfast::policy {

struct UnitCgroup {
  std::string path;     // "/system.slice/nginx.service"; empty: there is a mistake
  std::string mistake;  // the end of "'…' is not a unit: "
};

// The cgroup in which systemd puts a unit of the system manager. `unit` is NAME.service, NAME.scope
// or NAME.slice, where NAME may have '*'; or SLICE.slice/UNIT for a unit that has Slice=. An instance
// NAME@INSTANCE.service without a slice is in system-NAME.slice. Source: systemd.slice(5),
// systemd.service(5).
[[nodiscard]] UnitCgroup cgroup_of_unit(std::string_view unit);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_UNIT_NAME_H
