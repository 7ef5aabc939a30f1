// SPDX-License-Identifier: Apache-2.0
// Bundles (bundle/machine.h) where the policy's files are guarded, so that only holdfastd can change
// them.
#ifndef HOLDFAST_DAEMON_BUNDLE_FILES_H
#define HOLDFAST_DAEMON_BUNDLE_FILES_H

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// What --apply-bundle takes.
struct BundleRequest {
  std::string file;
  std::vector<std::string> trust;  // keys and directories of them; empty: the usual directory
  bool older = false;              // an older bundle may be applied
  bool replace = false;            // files of no bundle may be replaced
};

// The functions below print errors and return an exit code. Both fail while the machine is sealed. A
// running holdfastd notices the change of files, as with install_policy().
int apply_bundle(const Options& options, const BundleRequest& request);
int revert_bundle(const Options& options);

// Ends an application that a killed process has begun (bundle::finish()), before a start reads the
// files. Errors: those of bundle::finish().
[[nodiscard]] Result<void> finish_bundle(const Options& options);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_BUNDLE_FILES_H
