// SPDX-License-Identifier: Apache-2.0
// `holdfast oci-hook`: binds a container to a profile and mounts the BPF delegation, as its
// annotations request, as a createRuntime hook.
//
// The OCI runtime executes the hook in its own namespaces after it has made the container's
// namespaces and mounts, and waits for it. So the container's program starts only after the
// delegation is mounted and holdfastd holds the container, and does not start if the hook fails. The
// container has not changed its root yet, so its /sys/fs/bpf is below the root of its bundle. For a
// container without such annotations the hook does nothing.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/delegation_set.h"
#include "delegate/explain.h"
#include "delegate/grant.h"
#include "kernel/files/text_file.h"
#include "kernel/sockets/journal.h"
#include "policy/suggest.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kOurs = "io.holdfast.";
constexpr std::string_view kProfile = "io.holdfast.profile";
constexpr std::string_view kPrefix = "io.holdfast.delegate.";
// Annotations by which crun runs something itself, and executes no program.
constexpr std::array<std::string_view, 2> kHandlers = {"run.oci.handler",
                                                       "module.wasm.image/variant"};
constexpr std::array<std::string_view, 5> kKeys = {"commands", "maps", "programs", "attachments",
                                                   "at"};

struct Container {
  pid_t pid = 0;
  std::string bundle;
  DelegateSetOptions set;
  std::string at = "/sys/fs/bpf";
  bool requests = false;  // a delegation: it has at least one of its annotations
  std::optional<std::string> profile;
  std::string handler;  // the annotation by which the runtime runs it without a program; "": none
};

// Says why the container does not start, also in the journal: crun shows no output of hooks.
void refuse(const std::string& why) {
  complain(why);
  // Without a journal, standard error is all there is.
  (void)kernel::send_to_journal({{"MESSAGE", "holdfast oci-hook: " + why},
                                 {"PRIORITY", "3"},
                                 {"SYSLOG_IDENTIFIER", "holdfast"}});
}

std::string unknown_annotation(std::string_view key, const std::string& hint) {
  return fmt::format("unknown annotation '{}'{}{}", key, hint.empty() ? "" : "; ", hint);
}

// Stores the annotation in `container`. Returns an error message, or "".
std::string take_annotation(std::string_view key, const Json& value, Container& container) {
  if (std::ranges::find(kHandlers, key) != kHandlers.end()) container.handler = key;
  if (!key.starts_with(kOurs)) return "";
  if (key == kProfile) {
    if (!value.is_string()) return fmt::format("annotation '{}' is not a string", key);
    container.profile = value.get<std::string>();
    return "";
  }
  // A mistyped annotation must not leave the container without its rules.
  if (!key.starts_with(kPrefix)) return unknown_annotation(key, policy::suggest(key, {kProfile}));
  const std::string_view name = key.substr(kPrefix.size());
  if (std::ranges::find(kKeys, name) == kKeys.end()) {
    const std::string hint =
        policy::suggest(name, std::vector<std::string_view>(kKeys.begin(), kKeys.end()));
    return unknown_annotation(key, hint);
  }
  if (!value.is_string()) return fmt::format("annotation '{}' is not a string", key);
  const auto text = value.get<std::string>();
  if (name == "commands") container.set.commands = text;
  if (name == "maps") container.set.maps = text;
  if (name == "programs") container.set.programs = text;
  if (name == "attachments") container.set.attachments = text;
  if (name == "at") container.at = text;
  container.requests = true;
  return "";
}

// Parses the container state that the OCI runtime passes on standard input. Empty: it is wrong, and
// an error was printed.
std::optional<Container> read_state(const std::string& text) {
  const Json state = Json::parse(text, nullptr, false);
  Container container;
  if (!state.is_object()) {
    complain("standard input is not the state of a container");
    return std::nullopt;
  }
  const Json annotations = state.value("annotations", Json::object());
  for (const auto& [key, value] : annotations.items()) {
    const std::string mistake = take_annotation(key, value, container);
    if (mistake.empty()) continue;
    refuse(mistake);
    return std::nullopt;
  }
  if (!container.requests && !container.profile) return container;
  const Json pid = state.value("pid", Json());
  const Json bundle = state.value("bundle", Json());
  if (!pid.is_number_integer() || pid.get<std::int64_t>() <= 1 || !bundle.is_string()) {
    complain("the state has no pid or no bundle: is this a createRuntime hook?");
    return std::nullopt;
  }
  container.pid = pid.get<pid_t>();
  container.bundle = bundle.get<std::string>();
  return container;
}

// The directory of the container's root: root.path of config.json in the bundle.
std::optional<std::string> root_of(const Container& container) {
  const auto text = kernel::read_text_file(container.bundle + "/config.json");
  if (!text) {
    complain(text.error().message());
    return std::nullopt;
  }
  const Json config = Json::parse(*text, nullptr, false);
  const Json root = config.is_object() ? config.value("root", Json()) : Json();
  const Json path = root.is_object() ? root.value("path", Json()) : Json();
  if (!path.is_string() || path.get<std::string>().empty()) {
    complain(container.bundle + "/config.json names no root");
    return std::nullopt;
  }
  const auto relative = path.get<std::string>();
  return relative.starts_with('/') ? relative : container.bundle + "/" + relative;
}

// Returns an exit code. Prints why the delegation cannot be had.
int delegate_to(const Container& container) {
  const delegate::Vocabulary vocabulary = delegate::vocabulary_here();
  const SetOrStatus read = read_set(given(container.set, kPrefix), vocabulary, Surprises::kRefuse);
  if (read.status != kExitOk) return read.status;
  const auto root = root_of(container);
  if (!root) return kExitFailed;
  const auto granted = delegate::grant(
      {.pid = container.pid, .at = container.at, .root = *root, .set = read.set}, vocabulary);
  if (!granted) return fail(granted.error());
  for (const std::string& warning : delegate::explain(read.set, vocabulary).warnings)
    complain("warning: " + warning);
  return kExitOk;
}

// Returns an exit code. Prints why the container cannot have the profile, in one sentence.
int bind(const Container& container, const OciHookOptions& options) {
  const std::string of = fmt::format("profile '{}': ", escape(*container.profile));
  if (!container.handler.empty()) {
    refuse(of + fmt::format("the runtime would run the container itself (annotation '{}'), and no "
                            "rule is about the runtime",
                            container.handler));
    return kExitFailed;
  }
  auto client = rpc::Client::connect(options.socket);
  if (!client) {
    refuse(of + client.error().message() + ": is holdfastd running?");
    return kExitFailed;
  }
  const auto reply = client->call(fmt::format("{}.OpenContainer", rpc::kControlInterface),
                                  {{"profile", *container.profile}, {"pid", container.pid}});
  if (!reply) {
    refuse(of + reply.error().message());
    return kExitFailed;
  }
  if (reply->error.empty()) return kExitOk;
  refuse(of + escape(reply->parameters.value("message", reply->error)));
  return kExitFailed;
}

}  // namespace

int oci_hook(const OciHookOptions& options) {
  complain_as("holdfast oci-hook");
  const auto text = kernel::read_text_file("/dev/stdin");
  if (!text) return fail(text.error());
  const auto container = read_state(*text);
  if (!container) return kExitUsage;
  if (options.require && !container->requests && !container->profile) {
    refuse(
        "the state of the container has no annotation io.holdfast.*: its engine must pass it on");
    return kExitFailed;
  }
  if (container->requests)
    if (const int status = delegate_to(*container); status != kExitOk) return status;
  return container->profile ? bind(*container, options) : kExitOk;
}

}  // namespace holdfast::cli
