// SPDX-License-Identifier: Apache-2.0
// `holdfast bundle make`, `show`, `verify`, `apply` and `revert`.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/printable.h"
#include "bundle/bundle.h"
#include "bundle/machine.h"
#include "cli/bundle_policy.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "kernel/files/atomic_file.h"
#include "policy_dirs/policy_dirs.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using bundle::Verified;
using nlohmann::ordered_json;

constexpr unsigned kBundleMode = 0644;

int complain(std::string_view command, const Error& error) {
  if (error.code == 0) {
    fmt::print(stderr, "{}holdfast bundle {}: nothing was changed\n", error.detail, command);
    return kExitUsage;
  }
  const bool guarded = error.code == EPERM && geteuid() == 0;
  fmt::print(
      stderr, "holdfast bundle {}: {}{}\n", command, error.message(),
      guarded ? "; where the policy's files are protected: holdfastd --apply-bundle FILE" : "");
  return kExitFailed;
}

int complain(std::string_view command, std::string_view text, int status = kExitFailed) {
  fmt::print(stderr, "holdfast bundle {}: {}\n", command, text);
  return status;
}

Result<std::vector<bundle::TrustedKey>> keys_of(const BundleOptions& options) {
  std::vector<bundle::TrustedKey> keys;
  for (const std::string& path : options.trust) {
    HF_TRY_ASSIGN(auto more, bundle::read_trusted_keys(path));
    for (bundle::TrustedKey& key : more) keys.push_back(std::move(key));
  }
  return keys.empty() ? bundle::read_trusted_keys(bundle::kKeysDirectory) : keys;
}

Result<Verified> verified(const BundleOptions& options) {
  HF_TRY_ASSIGN(const auto keys, keys_of(options));
  return bundle::read_bundle(options.file, keys);
}

bundle::Machine machine_of(const BundleOptions& options) {
  bundle::Machine machine{{}, options.state_dir};
  if (!options.dirs.empty()) machine.dirs.paths = options.dirs;
  return machine;
}

ordered_json json_of(const Verified& read) {
  ordered_json files = ordered_json::array();
  for (const bundle::File& file : read.contents.files)
    files.push_back({{"path", file.path}, {"bytes", file.text.size()}});
  return {{"name", read.contents.name.text()},
          {"digest", read.digest},
          {"key", read.key},
          {"ring", read.contents.ring},
          {"checks", read.contents.checks},
          {"files", std::move(files)}};
}

std::string ring_text(unsigned ring) {
  return ring == bundle::kEveryMachine ? std::string("all machines")
                                       : fmt::format("the first {} % of the machines", ring);
}

void print_bundle(const Verified& read) {
  fmt::print("bundle {}\n  digest  {}\n  key     {}\n  for     {}\n", read.contents.name.text(),
             read.digest, escape(read.key), ring_text(read.contents.ring));
  for (const std::string& check : read.contents.checks) fmt::print("  check   {}\n", check);
  for (const bundle::File& file : read.contents.files)
    fmt::print("  file    {} ({} bytes)\n", file.path, file.text.size());
}

// What this machine has applied.
int show_applied(const BundleOptions& options) {
  const auto record = bundle::read_record(options.state_dir);
  if (!record) return complain("show", record.error());
  const bool json = options.format == "json";
  if (!record->current) {
    fmt::print("{}\n", json ? "null" : "no bundle is applied");
    return kExitOk;
  }
  const bundle::Current& current = *record->current;
  const auto changed = bundle::changed_files(current, machine_of(options).dirs.paths.back());
  const bool unfinished = !record->to_rename.empty() || !record->to_remove.empty();
  if (json) {
    ordered_json files = ordered_json::array();
    for (const bundle::Applied& file : current.files) files.push_back(file.path);
    fmt::print("{}\n", ordered_json{{"name", current.name},
                                    {"digest", current.digest},
                                    {"key", current.key},
                                    {"newest", record->newest},
                                    {"files", std::move(files)},
                                    {"changed", changed},
                                    {"unfinished", unfinished}}
                           .dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  } else {
    fmt::print("bundle {} is applied\n  digest  {}\n  key     {}\n", current.name, current.digest,
               escape(current.key));
    for (const bundle::Applied& file : current.files) fmt::print("  file    {}\n", file.path);
    for (const std::string& file : changed) fmt::print("  CHANGED {}\n", file);
    if (unfinished) fmt::print("  UNFINISHED: holdfast bundle apply, or a restart, ends it\n");
  }
  return changed.empty() && !unfinished ? kExitOk : kExitFailed;
}

// A connection to holdfastd, which has to make the files live.
class Daemon {
 public:
  // Not connected: holdfastd does not run.
  explicit Daemon(const std::string& socket) {
    if (auto client = rpc::Client::connect(socket)) client_ = *std::move(client);
  }

  [[nodiscard]] bool runs() const { return client_.has_value(); }

  // Errors: those of the call; EIO the reply is an error.
  Result<nlohmann::json> call(std::string_view method, const nlohmann::json& parameters = {}) {
    const std::string name = fmt::format("{}.{}", rpc::kControlInterface, method);
    HF_TRY_ASSIGN(
        const auto reply,
        client_->call(name, parameters.is_null() ? nlohmann::json::object() : parameters));
    if (reply.error.empty()) return reply.parameters;
    const auto text = [&](const char* key) { return reply.parameters.value(key, std::string()); };
    if (reply.error.ends_with(".PolicyError")) return Error{0, "reload", "", text("diagnostics")};
    if (reply.error.ends_with(".Sealed"))
      return Error{EPERM, std::string(method), "", "it is sealed (holdfastd --unseal)"};
    return Error{EIO, std::string(method), reply.error, text("message")};
  }

 private:
  std::optional<rpc::Client> client_;
};

// Are changes possible at all? Asks before any file is touched.
Result<void> ready(Daemon& daemon) {
  HF_TRY_ASSIGN(const auto status, daemon.call("Status"));
  if (status.value("sealed", false))
    return Error{EPERM, "change the policy", "", "it is sealed (holdfastd --unseal)"};
  if (status.contains("confirm_ms"))
    return Error{EBUSY, "change the policy", "", "another policy waits to be confirmed"};
  // From now on changed files wait. A crash in the middle leaves the policy in force as it is.
  HF_TRY_ASSIGN(std::ignore, daemon.call("Stage"));
  return {};
}

// Makes the files live. `what` is the command.
int make_live(Daemon& daemon, std::string_view what, std::optional<std::uint64_t> confirm_ms) {
  nlohmann::json parameters = nlohmann::json::object();
  if (confirm_ms) parameters["confirm_ms"] = *confirm_ms;
  const auto reply = daemon.call("Reload", parameters);
  if (!reply) return complain(what, reply.error());
  const std::string generation = reply->value("generation", nlohmann::json()).dump();
  if (const auto left = reply->find("confirm_ms"); left != reply->end() && !left->is_null())
    fmt::print(
        "policy generation {} is live; the one of before comes back in {} s unless confirmed\n",
        generation, left->get<std::uint64_t>() / 1000);
  else
    fmt::print("policy generation {} is live\n", generation);
  return kExitOk;
}

// The time of --confirm. Empty: none was given. Sets `status` if it is no duration.
std::optional<std::uint64_t> confirm_time(const BundleOptions& options, std::string_view command,
                                          int& status) {
  if (options.confirm.empty()) return std::nullopt;
  const auto ms = milliseconds(options.confirm);
  if (!ms || *ms == 0)
    status = complain(command, fmt::format("'{}' is not a duration: 60s, 5min", options.confirm),
                      kExitUsage);
  return ms;
}

}  // namespace

int bundle_make(const BundleMakeOptions& options) {
  const auto name = bundle::Name::parse(options.name);
  if (!name)
    return complain("make",
                    fmt::format("'{}' is no name of a bundle: numbers joined by '.' or '-', such "
                                "as 2026-11-28.1",
                                escape(options.name)),
                    kExitUsage);
  auto files = bundle::files_below(options.directory);
  if (!files) return complain("make", files.error());
  policy_dirs::PolicyDirs dirs;
  dirs.paths = options.dirs;
  if (dirs.paths.empty()) dirs.paths = {policy_dirs::kVendorDirectory};
  dirs.paths.push_back(options.directory);
  dirs.trust = policy_dirs::Trust::anybody;
  if (const auto good = bundle::check_language(dirs, {}); !good)
    return complain("make", good.error());
  const auto bytes =
      bundle::encode({*name, options.ring, options.checks, *std::move(files)}, options.key);
  if (!bytes) return complain("make", bytes.error());
  const std::string out = options.out.empty() ? options.name + ".bundle" : options.out;
  if (out == "-") {
    std::fwrite(bytes->data(), 1, bytes->size(), stdout);
    return std::fflush(stdout) == 0 ? kExitOk : complain("make", "standard output failed");
  }
  if (auto written = kernel::replace_file(out, *bytes, kBundleMode); !written)
    return complain("make", written.error());
  fmt::print("{}\n", escape(out));
  return kExitOk;
}

std::vector<policy::Source> sources_after(const std::string& file,
                                          const std::vector<std::string>& trust,
                                          const std::vector<std::string>& dirs,
                                          const std::string& state_dir) {
  BundleOptions options;
  options.file = file;
  options.trust = trust;
  options.dirs = dirs;
  options.state_dir = state_dir;
  const auto sources = [&]() -> Result<std::vector<policy::Source>> {
    HF_TRY_ASSIGN(const auto read, verified(options));
    const bundle::Machine machine = machine_of(options);
    HF_TRY_ASSIGN(const auto plan, bundle::plan_of(machine, read));
    HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(machine.dirs, plan));
    return policy_dirs::sources_of(units);
  }();
  if (sources) return *sources;
  fmt::print(stderr, "holdfast replay: {}\n", sources.error().message());
  return {};
}

int bundle_show(const BundleOptions& options) {
  if (options.file.empty()) return show_applied(options);
  const auto read = verified(options);
  if (!read) return complain("show", read.error());
  if (options.format == "json")
    fmt::print("{}\n", json_of(*read).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  else
    print_bundle(*read);
  return kExitOk;
}

int bundle_verify(const BundleOptions& options) {
  const auto read = verified(options);
  if (!read) return complain("verify", read.error());
  if (options.format == "json")
    fmt::print("{}\n", json_of(*read).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  else
    fmt::print("{}: bundle {}, signed by {}\n", escape(options.file), read->contents.name.text(),
               escape(read->key));
  return kExitOk;
}

int bundle_apply(const BundleOptions& options) {
  int status = kExitOk;
  const auto confirm_ms = confirm_time(options, "apply", status);
  if (status != kExitOk) return status;
  const auto read = verified(options);
  if (!read) return complain("apply", read.error());
  const bundle::Machine machine = machine_of(options);
  const auto check = [&](const policy_dirs::Plan& plan) {
    return bundle::check_language(machine.dirs, plan);
  };
  Daemon daemon(options.files_only ? "" : options.socket);
  if (daemon.runs())
    if (const auto free = ready(daemon); !free) return complain("apply", free.error());
  const auto changed =
      bundle::apply(machine, *read,
                    {options.older ? bundle::Order::any : bundle::Order::later_only,
                     options.replace ? bundle::Foreign::replace : bundle::Foreign::refuse,
                     options.number == 0 ? std::nullopt : std::optional(options.number)},
                    check);
  if (!changed) return complain("apply", changed.error());
  fmt::print("bundle {} {} applied\n", read->contents.name.text(), *changed ? "is" : "was already");
  if (!daemon.runs()) {
    if (!options.files_only)
      fmt::print("holdfastd does not answer: the files become live when it starts\n");
    return kExitOk;
  }
  status = make_live(daemon, "apply", confirm_ms);
  if (status == kExitOk || !*changed) return status;
  const auto back = bundle::revert(machine, check);
  if (!back) return complain("apply", back.error());
  return complain("apply", "the files are again those of before", status);
}

int bundle_revert(const BundleOptions& options) {
  int status = kExitOk;
  const auto confirm_ms = confirm_time(options, "revert", status);
  if (status != kExitOk) return status;
  const bundle::Machine machine = machine_of(options);
  Daemon daemon(options.files_only ? "" : options.socket);
  if (daemon.runs())
    if (const auto free = ready(daemon); !free) return complain("revert", free.error());
  const auto reverted = bundle::revert(machine, [&](const policy_dirs::Plan& plan) {
    return bundle::check_language(machine.dirs, plan);
  });
  if (!reverted) return complain("revert", reverted.error());
  fmt::print("the files are those of before the last bundle\n");
  return daemon.runs() ? make_live(daemon, "revert", confirm_ms) : kExitOk;
}

}  // namespace holdfast::cli
