// SPDX-License-Identifier: Apache-2.0
// `holdfastd`: parses the arguments and calls one of the functions of service.h, policy_files.h and
// seal.h.
#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/bundle_files.h"
#include "daemon/policy_files.h"
#include "daemon/seal.h"
#include "daemon/service.h"
#include "kernel/process/process.h"
#include "rpc/closer.h"
#include "rpc/relay.h"

int main(int argc, char** argv) {
  using namespace holdfast::daemon;
  // A core file would contain secrets: the key of labels and the hash of the token.
  if (auto undumpable = holdfast::kernel::make_undumpable(); !undumpable) {
    std::cerr << "holdfastd: " << undumpable.error().message() << '\n';
    return kExitFailed;
  }
  // Not for users: holdfastd starts itself with this argument, to receive descriptors of clients.
  if (argc == 2 && argv[1] == std::string_view(holdfast::rpc::kRelayArgument))
    holdfast::rpc::run_relay();
  if (argc == 2 && argv[1] == std::string_view(holdfast::rpc::kCloserArgument))
    holdfast::rpc::run_closer();
  CLI::App app{"Enforces the policies of a directory for the whole machine."};
  app.name("holdfastd");
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.footer(
      "SIGHUP loads the policy again. Enforcement continues after holdfastd has ended for any "
      "reason:\nthe next holdfastd adopts it, and --stop-enforcing ends it.\n"
      "Exit codes: 0 ok, 1 failed, 2 usage or policy error, 75 another holdfastd is running,\n"
      "77 not possible on this machine.");
  Options options;
  std::vector<std::string> dirs;
  std::string format = "pretty";
  bool only_check = false;
  bool allow_unenforced = false;
  bool stop = false;
  bool transient = false;
  bool for_runs = false;
  bool no_guard = false;
  bool do_seal = false;
  bool do_unseal = false;
  bool ask_sealed = false;
  bool protect = false;
  bool count_runs = false;
  bool no_auto_reload = false;
  std::vector<std::string> install;
  std::string remove;
  BundleRequest bundle;
  bool revert = false;
  app.add_option("--policy-dir", dirs,
                 "Directory of *.toml files; a later one hides files of the same name")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_option("--format", format,
                 "Write events to standard output (pretty or json) or to the journal")
      ->check(CLI::IsMember({"pretty", "json", "journal"}))
      ->type_name("FORMAT");
  app.add_flag("--check", only_check, "Validate the policy and exit");
  app.add_flag("--allow-unenforced", allow_unenforced,
               "Accept a policy with rules that are not enforced");
  app.add_flag("--stop-enforcing", stop, "End the enforcement of an earlier holdfastd, and exit");
  app.add_flag("--transient", transient, "Enforce only as long as this process runs");
  app.add_flag(holdfast::rpc::kRunsArgument, for_runs,
               "Hold runs alone, without a policy of the machine, and end with the last run");
  app.add_flag("--no-guard", no_guard, "Do not protect the enforcement against root");
  app.add_flag("--protect-policy", protect,
               "Only holdfastd can change the policy's files and its own state");
  app.add_flag("--no-auto-reload", no_auto_reload,
               "Changed files become live only by holdfast reload or SIGHUP");
  app.add_flag("--count-runs", count_runs,
               "Let the kernel count and time the runs of BPF programs, for holdfast metrics");
  app.add_option("--install-policy", install,
                 "Check the policy with FILE, copy it to the last policy directory, and exit")
      ->type_name("FILE...");
  app.add_option("--remove-policy", remove,
                 "Check the policy without NAME.toml, remove it, and exit")
      ->type_name("NAME.toml");
  app.add_option("--apply-bundle", bundle.file,
                 "Verify a bundle, check the policy with it, copy its files to the last policy "
                 "directory, and exit")
      ->type_name("FILE");
  app.add_option("--trust", bundle.trust,
                 "With --apply-bundle: a public key, or a directory of *.pub; default: "
                 "/etc/holdfast/bundle-keys")
      ->type_name("FILE|DIR")
      ->allow_extra_args(false);
  app.add_flag("--older", bundle.older,
               "With --apply-bundle: although a later bundle was applied before");
  app.add_flag("--replace", bundle.replace,
               "With --apply-bundle: replace files that are of no bundle, or were changed");
  app.add_flag("--revert-bundle", revert,
               "Put back the files that the last bundle has replaced, and exit");
  app.add_flag("--seal", do_seal,
               "Seal the policy in force, print the token that unseals it, and exit");
  app.add_flag("--unseal", do_unseal, "Read the token from standard input, unseal, and exit");
  app.add_flag("--is-sealed", ask_sealed,
               "Exit with 0 if the policy is sealed, with 1 if it is not");
  app.add_option("--pin-dir", options.pin_dir,
                 "Directory on a BPF filesystem for the pins of the enforcement")
      ->type_name("DIR");
  app.add_option("--socket", options.socket, "Socket of io.holdfast.Control; '' for none")
      ->type_name("PATH");
  app.add_option("--log-size", options.log_bytes,
                 "Maximum size of each of the two files of the event log; 0 for no log")
      ->type_name("BYTES");
  app.add_option("--state-dir", options.state_dir,
                 "Directory for earlier policies and the event log")
      ->type_name("DIR");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (!dirs.empty()) {
    options.dirs.paths = dirs;
    options.dirs.missing = holdfast::policy_dirs::Missing::is_error;
  }
  if (format == "json") options.format = EventFormat::json;
  if (format == "journal") options.format = EventFormat::journal;
  options.unenforced = allow_unenforced ? Unenforced::allow : Unenforced::refuse;
  if (no_auto_reload) options.files_live = FilesLive::by_reload;
  options.lifetime = transient ? Lifetime::transient : Lifetime::kept;
  if (for_runs && argc != 2) {
    std::cerr << "holdfastd: --for-runs cannot be used with other options\n";
    return kExitUsage;
  }
  if (for_runs) use_for_runs(options);
  options.guard = no_guard ? holdfast::backend::Guard::off : holdfast::backend::Guard::on;
  if (protect && (transient || no_guard)) {
    std::cerr << "holdfastd: --protect-policy cannot be used with --transient or --no-guard\n";
    return kExitUsage;
  }
  if (count_runs) options.program_runs = ProgramRuns::counted;
  if (protect) options.policy_files = PolicyFiles::guarded;
  if (!install.empty()) return install_policy(options, install);
  if (!remove.empty()) return remove_policy(options, remove);
  if (!bundle.file.empty()) return apply_bundle(options, bundle);
  if (revert) return revert_bundle(options);
  if (do_seal) return seal(options);
  if (do_unseal) return unseal(options);
  if (ask_sealed) return is_sealed(options);
  if (stop) return stop_enforcing(options);
  return only_check ? check(options) : serve(options);
}
