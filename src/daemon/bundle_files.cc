// SPDX-License-Identifier: Apache-2.0
#include "daemon/bundle_files.h"

#include <fmt/core.h>

#include "bundle/machine.h"
#include "daemon/loaded_policy.h"
#include "daemon/policy_files.h"

namespace holdfast::daemon {
namespace {

int failed(const Error& error) {
  if (error.code == 0)
    fmt::print(stderr, "{}", error.detail);
  else
    fmt::print(stderr, "holdfastd: {}\n", error.message());
  return error.code == 0 ? kExitUsage : kExitFailed;
}

bundle::Machine machine_of(const Options& options) { return {options.dirs, options.state_dir}; }

// As holdfastd itself checks files.
Result<void> check_plan(const Options& options, const policy_dirs::Plan& plan) {
  HF_TRY_ASSIGN(const auto files, check_files(options.dirs, options.unenforced, plan));
  if (files.mistakes.empty()) return {};
  return Error{0, "check", {}, mistakes_text(files.mistakes)};
}

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
  if (auto free = refuse_when_sealed(options); !free) return failed(free.error());
  const auto keys = keys_of(request);
  if (!keys) return failed(keys.error());
  const auto read = bundle::read_bundle(request.file, *keys);
  if (!read) return failed(read.error());
  const auto changed = bundle::apply(
      machine_of(options), *read,
      {request.older ? bundle::Order::any : bundle::Order::later_only,
       request.replace ? bundle::Foreign::replace : bundle::Foreign::refuse, std::nullopt},
      [&options](const policy_dirs::Plan& plan) { return check_plan(options, plan); });
  return changed ? kExitOk : failed(changed.error());
}

int revert_bundle(const Options& options) {
  if (auto free = refuse_when_sealed(options); !free) return failed(free.error());
  const auto reverted = bundle::revert(
      machine_of(options),
      [&options](const policy_dirs::Plan& plan) { return check_plan(options, plan); });
  return reverted ? kExitOk : failed(reverted.error());
}

Result<void> finish_bundle(const Options& options) {
  HF_TRY_ASSIGN(const auto finished, bundle::finish(machine_of(options)));
  if (finished) fmt::print(stderr, "holdfastd: an application of a bundle was ended\n");
  return {};
}

}  // namespace holdfast::daemon
