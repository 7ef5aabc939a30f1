// SPDX-License-Identifier: Apache-2.0
// `holdfast run`: runs a command as a member of a profile.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "cli/commands.h"
#include "cli/find_policy.h"
#include "cli/load_policy.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/sockets/stream.h"
#include "policy/cgroup_path.h"
#include "policy/compile.h"
#include "policy/enum_names.h"
#include "policy/policy_text.h"
#include "policy/suggest.h"
#include "run/announcement.h"
#include "run/choice.h"
#include "run/delegation.h"
#include "run/report.h"
#include "run/summary.h"
#include "run/supervise.h"

namespace holdfast::cli {
namespace {

constexpr int kStderr = 2;

int complain(int status, std::string_view message) {
  fmt::print(stderr, "holdfast: {}\n", message);
  return status;
}

std::optional<std::uint16_t> choose_profile(const policy::Compiled& policy,
                                            const std::string& name) {
  const auto profile_count = policy.profiles.size() - 1;  // [0] is "no profile"
  if (!name.empty()) {
    const auto found = policy.find_profile(name);
    if (found) return found;
    const std::vector<std::string_view> known(policy.profiles.begin() + 1, policy.profiles.end());
    const std::string similar = policy::suggest(name, known);
    complain(kExitUsage, fmt::format("the policy has no profile '{}'{}{}", name,
                                     similar.empty() ? "" : "; ", similar));
    return std::nullopt;
  }
  if (profile_count == 0) return HF_NO_PROFILE;
  if (profile_count == 1) return 1;
  std::string names;
  for (std::size_t i = 1; i < policy.profiles.size(); i++)
    names += (i > 1 ? ", " : "") + policy.profiles[i];
  complain(kExitUsage, fmt::format("the policy has {} profiles, choose one with --profile: {}",
                                   profile_count, names));
  return std::nullopt;
}

std::optional<std::uint32_t> parse_types(const std::vector<std::string>& names) {
  std::uint32_t types = 0;
  for (const std::string& name : names) {
    const auto type = kernel::type_by_name(name);
    if (!type && name != "all") {
      complain(kExitUsage,
               fmt::format("--unshare {}: not one of mnt, uts, ipc, user, pid, net, cgroup, time "
                           "or all",
                           name));
      return std::nullopt;
    }
    types |= type ? 1u << *type : HF_NS_ALL;
  }
  return types;
}

// The policy of the options. Without a policy, --profile names a policy file NAME.toml, or else a
// profile of this machine's policy.
LoadedFiles load_for_run(const RunOptions& options) {
  if (!options.policies.empty() || options.profile.empty()) return load_files(options.policies);
  const auto names = known_policy_names();
  if (std::ranges::find(names, options.profile) != names.end())
    return load_files({options.profile});
  auto sources = machine_sources({});
  if (!sources) {
    complain(kExitUsage, sources.error().message());
    return {};
  }
  if (sources->empty()) {
    complain(kExitUsage,
             fmt::format("there is no policy '{}', and this machine has no policy: name "
                         "a file with --policy FILE",
                         options.profile));
    return {};
  }
  return load_sources(*std::move(sources));
}

// A copy of the tables with all profiles in `mode`. Null if `mode` is empty, because copying takes
// as long as the rest of the start.
std::unique_ptr<const hf_tables> with_mode(const hf_tables& tables, const std::string& mode) {
  if (mode.empty()) return nullptr;
  auto copy = std::make_unique<hf_tables>(tables);
  policy::set_mode(*copy, mode == "audit" ? HF_MODE_AUDIT : HF_MODE_ENFORCE);
  return copy;
}

std::string policy_line(const LoadedFiles& loaded, const std::string& mode) {
  policy::PolicyText text{loaded.sources, {}};
  if (const auto asked = policy::value_of(policy::kModeNames, mode))
    for (const std::string& profile : loaded.policy->profiles)
      if (!profile.empty()) text.modes[profile] = static_cast<std::uint8_t>(*asked);
  return policy::policy_line(text);
}

// https://no-color.org: NO_COLOR that is not empty turns colours off, unless an option says more.
policy::Colour stderr_colour(const std::string& asked) {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value ? value : "");
  };
  const bool automatic =
      kernel::is_terminal(kStderr) && set("NO_COLOR").empty() && set("TERM") != "dumb";
  return asked == "always" || (asked == "auto" && automatic) ? policy::Colour::on
                                                             : policy::Colour::off;
}

struct Session {
  const std::vector<policy::Source>& sources;
  const policy::Compiled& policy;
  const hf_tables& tables;
  std::uint16_t profile;
  std::uint32_t unshare_types;
};

std::string processes(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "process" : "processes");
}

run::LeftBehind left_behind(const RunOptions& options) {
  if (options.quiet) return {.tree = options.kill_tree ? run::Tree::ends : run::Tree::goes_on};
  if (!options.kill_tree)
    return {.waits = [](std::size_t left) {
      complain(0, fmt::format("the command has ended; the run goes on for {} that it left behind "
                              "(--kill-tree kills them)",
                              processes(left)));
    }};
  return {.tree = run::Tree::ends, .killed = [](std::size_t killed, std::size_t alive) {
            complain(0, fmt::format("killed {} that the command left behind{}", processes(killed),
                                    alive == 0 ? ""
                                               : fmt::format("; {} could not be killed",
                                                             processes(alive))));
          }};
}

// `killed_by` receives the signal that killed the command, as in run::Outcome.
int run_session(const RunOptions& options, const Session& session, run::Reporter& reporter,
                int& killed_by) {
  const backend::SessionSpec spec{
      &session.tables,
      session.profile,
      session.unshare_types,
      [&](const hf_event& event) { reporter.event(event, {}); },
      run::label_words(session.policy, session.profile),
      [&](const hf_event& event, const backend::MovePaths& paths) {
        reporter.event(event, {paths.source, paths.target});
      },
      [&](std::string_view path) { return policy::profiles_of_cgroup(session.policy, path); },
      [](std::string_view notice) { complain(0, notice); },
      [&](const hf_guard_event& refusal) { reporter.refusal(refusal); }};
  const run::RunPolicy text = {
      session.sources,
      session.profile == HF_NO_PROFILE ? std::string() : session.policy.profiles[session.profile],
      options.mode, &session.policy};
  auto attached = run::attach(options.backend, spec, text);
  if (!attached)
    return complain(kExitImpossible,
                    fmt::format("cannot enforce the policy: {}", attached.error().message()));
  const hf_profile& profile = session.tables.profiles[session.profile];
  if (!options.quiet && !run::confines_delegation(*attached->backend, profile))
    for (const std::string& warning : run::delegation_warnings(profile))
      complain(0, "warning: bpf.delegate: " + warning);
  // A run is enforced even if it cannot be announced.
  const auto announced = run::announce(
      {kernel::own_pid(), std::string(attached->backend->name()),
       std::string(policy::name_of(policy::kEnterNames, profile.ns_enter)),
       session.profile == HF_NO_PROFILE ? "" : session.policy.profiles[session.profile]});
  auto outcome = run::supervise(
      *attached->session, options.command, session.unshare_types,
      [&](pid_t child) { return run::delegate_bpf(profile, child); }, left_behind(options));
  reporter.finish();
  if (!outcome) return complain(kExitImpossible, outcome.error().message());
  if (outcome->exec_error) complain(0, outcome->exec_error->message());
  if (reporter.unwritten() > 0)
    complain(0, fmt::format("{} events could not be written to {}", reporter.unwritten(),
                            options.events));
  if (!options.quiet) {
    const run::Summary summary{
        session.policy,  session.profile, attached->backend->name(),     attached->passed_over,
        outcome->totals, reporter.hits(), attached->backend->promises(), reporter.shown()};
    const policy::Colour colour = stderr_colour(options.colour);
    fmt::print(stderr, "{}",
               options.verbose ? run::render(summary, colour) : run::render_short(summary, colour));
  }
  killed_by = outcome->killed_by;
  return outcome->exit_code;
}

}  // namespace

int run(const RunOptions& options) {
  auto occupied = kernel::occupy_standard_descriptors();
  if (!occupied) return kExitFailed;  // there is no stderr for a message
  // holdfast may need more descriptors than the command was given. The command gets its own limit.
  kernel::raise_descriptor_limit();
  const auto types = parse_types(options.unshare);
  if (!types) return kExitUsage;
  const LoadedFiles loaded = load_for_run(options);
  const auto& policy = loaded.policy;
  if (!policy) return kExitUsage;
  const auto profile = choose_profile(*policy, options.profile);
  if (!profile) return kExitUsage;
  const hf_profile& rules = policy->tables->profiles[*profile];
  const auto format = options.format == "json" ? run::EventFormat::json : run::EventFormat::pretty;
  auto reporter = run::Reporter::create(
      *policy, format, stderr_colour(options.colour), options.events,
      options.events.empty() ? std::string() : policy_line(loaded, options.mode));
  if (!reporter) return complain(kExitFailed, reporter.error().message());
  const auto in_mode = with_mode(*policy->tables, options.mode);
  const Session session{loaded.sources, *policy, in_mode ? *in_mode : *policy->tables, *profile,
                        *types | run::types_for_delegation(rules)};
  int killed_by = 0;
  const int status = run_session(options, session, *reporter, killed_by);
  // The parent of holdfast sees the command's own end. A shell script, for example, ends after
  // Ctrl-C only if the command died of it.
  std::fflush(nullptr);
  if (killed_by != 0) kernel::end_by(killed_by);
  return status;
}

}  // namespace holdfast::cli
