// SPDX-License-Identifier: Apache-2.0
#include "daemon/bundle_files.h"

#include <fmt/core.h>

#include "bundle/machine.h"
#include "daemon/policy_files.h"

namespace holdfast::daemon {
namespace {

bundle::Machine machine_of(const Options& options) { return {options.dirs, options.state_dir}; }

Result<std::vector<bundle::TrustedKey>> keys_of(const BundleRequest& request) {
  std::vector<bundle::TrustedKey> keys;
  for (const std::string& path : request.trust) {
    HF_TRY_ASSIGN(const auto more, bundle::read_trusted_keys(path));
    keys.insert(keys.end(), more.begin(), more.end());
  }
  return keys.empty() ? bundle::read_trusted_keys(bundle::kKeysDirectory) : keys;
}

}  // namespace

int apply_bundle(const Options& options, const BundleRequest& request) {
  if (auto free = refuse_when_sealed(options); !free) return files_failed(free.error());
  const auto keys = keys_of(request);
  if (!keys) return files_failed(keys.error());
  const auto read = bundle::read_bundle(request.file, *keys);
  if (!read) return files_failed(read.error());
  const auto changed = bundle::apply(
      machine_of(options), *read,
      {request.older ? bundle::Order::any : bundle::Order::later_only,
       request.replace ? bundle::Foreign::replace : bundle::Foreign::refuse, std::nullopt},
      [&options](const policy_dirs::Plan& plan) { return check_plan(options, plan); });
  return changed ? kExitOk : files_failed(changed.error());
}

int revert_bundle(const Options& options) {
  if (auto free = refuse_when_sealed(options); !free) return files_failed(free.error());
  const auto reverted = bundle::revert(
      machine_of(options),
      [&options](const policy_dirs::Plan& plan) { return check_plan(options, plan); });
  return reverted ? kExitOk : files_failed(reverted.error());
}

Result<void> finish_bundle(const Options& options) {
  HF_TRY_ASSIGN(const auto finished, bundle::finish(machine_of(options)));
  if (finished) fmt::print(stderr, "holdfastd: an application of a bundle was ended\n");
  return {};
}

}  // namespace holdfast::daemon
