// SPDX-License-Identifier: Apache-2.0
// `holdfast`: parses the arguments and calls the command's function (commands.h).
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "backend/connect_helper/process.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/self_test.h"
#include "kernel/process/shell.h"
#include "kernel/sockets/stream.h"

namespace {

using namespace holdfast::cli;
namespace kernel = holdfast::kernel;

constexpr char kParseArgument[] = "__parse";

// The groups of the list of commands.
constexpr char kRun[] = "Policies";
constexpr char kMachine[] = "The policy of this machine";
constexpr char kEvents[] = "Recorded events";
constexpr char kSockets[] = "Labels of sockets";
constexpr char kBpf[] = "BPF";
constexpr char kAbout[] = "About holdfast and this machine";

CLI::App* add_command(CLI::App& app, const char* group, const char* name, const char* what,
                      const char* footer) {
  CLI::App* command = app.add_subcommand(name, what);
  command->group(group);
  command->footer(footer);
  return command;
}

void add_policies(CLI::App* app, std::vector<std::string>& policies, const char* what) {
  app->add_option("-p,--policy", policies, what)->type_name("FILE|NAME")->allow_extra_args(false);
}

void add_progress(CLI::App* app, std::string& when) {
  app->add_option("--progress", when, "Show how much is read: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

void add_json(CLI::App* app, bool& json) { app->add_flag("--json", json, "Print JSON"); }

void add_socket(CLI::App* app, std::string& socket) {
  app->add_option("--socket", socket, "The socket of holdfastd")->type_name("PATH");
}

// --json, and the older --format.
void add_format(CLI::App* app, std::string& format) {
  app->add_flag_callback(
      "--json", [&format] { format = "json"; }, "Print JSON");
  app->add_option("--format", format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->type_name("FORMAT");
}

void add_run(CLI::App& app, int& status) {
  static RunOptions o;
  CLI::App* run_app = add_command(
      app, kRun, "run", "Run a command under a policy",
      "A policy is a file, or the name of one: NAME.toml in ~/.config/holdfast/profiles,\n"
      "/etc/holdfast/profiles or /usr/share/holdfast/profiles. Without --policy, --profile\n"
      "names such a policy, or a profile of this machine's policy.\n\n"
      "Exit codes: that of the command; 128+N if signal N ended it; 126 it cannot be executed;\n"
      "127 it was not found; 2 usage or policy error; 77 not possible on this machine.\n\n"
      "Examples:\n"
      "  holdfast run -p box.toml --unshare uts,ipc,net -- sh\n"
      "  holdfast run --profile web --events events.jsonl -- make test");
  add_policies(run_app, o.policies, "Policy; may be given several times");
  run_app->add_option("--profile", o.profile, "Profile the command is a member of")
      ->type_name("PROFILE");
  run_app->add_option("--backend", o.backend, "auto, lsm or supervisor")
      ->check(CLI::IsMember({"auto", "lsm", "supervisor"}))
      ->type_name("NAME");
  run_app
      ->add_option("--unshare", o.unshare,
                   "Namespaces to start in: mnt,uts,ipc,user,pid,net,cgroup,time or all")
      ->delimiter(',')
      ->type_name("TYPE,…")
      ->allow_extra_args(false);
  run_app->add_option("--mode", o.mode, "enforce or audit, instead of the policy's own mode")
      ->check(CLI::IsMember({"enforce", "audit"}))
      ->type_name("MODE");
  run_app->add_option("--events", o.events, "Write every event to FILE, one JSON object a line")
      ->type_name("FILE");
  run_app->add_option("--format", o.format, "Refusals on stderr: auto, pretty or json")
      ->check(CLI::IsMember({"auto", "pretty", "json"}))
      ->type_name("FORMAT");
  run_app->add_flag_callback(
      "--json", [] { o.format = "json"; }, "Refusals on stderr as JSON");
  CLI::Option* wait_tree = run_app->add_flag_callback(
      "--wait-tree", [] { o.kill_tree = false; },
      "Wait for what CMD leaves behind when it ends (default)");
  run_app->add_flag("--kill-tree", o.kill_tree, "Kill what CMD leaves behind when it ends")
      ->excludes(wait_tree);
  run_app->add_flag("-q,--quiet", o.quiet, "Print nothing at the end");
  run_app->add_flag("-v,--verbose", o.verbose,
                    "Print the backend, counts, lines and strengths at the end");
  run_app->add_option("--color", o.colour, "Colours on stderr: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  run_app->add_option("command", o.command, "The command and its arguments")
      ->required()
      ->type_name("CMD");
  run_app->positionals_at_end();
  run_app->prefix_command(false);
  run_app->callback([&status] { status = run(o); });
}

void add_check(CLI::App& app, int& status) {
  static CheckOptions o;
  CLI::App* check_app =
      add_command(app, kRun, "check", "Validate policy files",
                  "Exit codes: 0 valid, 2 a mistake or a file that cannot be read.\n\n"
                  "Examples:\n"
                  "  holdfast check web.toml\n"
                  "  holdfast check --strength web.toml");
  add_json(check_app, o.json);
  CLI::Option* files =
      check_app->add_option("files", o.files, "Policies that together form one policy")
          ->type_name("FILE|NAME");
  CLI::Option* strength =
      check_app->add_flag("--strength", o.strength,
                          "Show how strongly each backend and holdfastd enforce the rules here");
  check_app->add_flag("--schema", o.schema, "Print the JSON Schema of a policy file. Read no file")
      ->excludes(files)
      ->excludes(strength);
  check_app->callback([&status, files] {
    if (files->empty() && !o.schema) throw CLI::RequiredError("FILE");
    status = check(o);
  });
}

void add_test(CLI::App& app, int& status) {
  static TestOptions o;
  CLI::App* test_app = add_command(
      app, kRun, "test", "Run the tests of policies",
      "Tests are [[test]] tables in policy files, or in NAME.test.toml beside NAME.toml.\n\n"
      "Exit codes: 0 all pass, 1 one fails or there is none, 2 the policy or a request is "
      "wrong.\n\n"
      "Examples:\n"
      "  holdfast test web.toml\n"
      "  holdfast test --all-rules --json web.toml");
  test_app->add_option("files", o.files, "Policies; none: the policy of this machine")
      ->type_name("FILE|NAME");
  test_app
      ->add_option("--policy-dir", o.dirs,
                   "Policy directory, also of shared definitions; may be given several times")
      ->type_name("DIR")
      ->allow_extra_args(false);
  test_app->add_flag("--all-rules", o.all_rules, "Fail if no test reaches a rule");
  test_app->add_flag("-v,--verbose", o.verbose, "Also print the tests that pass");
  add_json(test_app, o.json);
  test_app->callback([&status] { status = test(o); });
}

void add_why(CLI::App& app, int& status) {
  static WhyOptions o;
  CLI::App* why_app =
      add_command(app, kRun, "why", "Explain a decision: its rule, and what would change it",
                  "Examples:\n"
                  "  holdfast why -p web.toml profile=web way=setns type=net target=host\n"
                  "  holdfast why 17 --events events.jsonl");
  add_json(why_app, o.json);
  why_app
      ->add_option("request", o.request,
                   "The words of a request, such as profile=web type=net, or an event's id")
      ->required()
      ->type_name("REQUEST|EVENT-ID");
  add_policies(why_app, o.policies, "Policy; may be given several times");
  why_app->add_option("--events", o.events, "File written by run --events; else holdfastd's log")
      ->type_name("FILE");
  add_progress(why_app, o.progress);
  why_app->callback([&status] { status = why(o); });
}

void add_replay(CLI::App& app, int& status) {
  static ReplayOptions o;
  CLI::App* replay_app = add_command(
      app, kEvents, "replay", "List the recorded decisions that another policy would change",
      "Exit codes: 0 nothing differs, 1 some decisions differ, 2 usage, policy or events are\n"
      "wrong.\n\n"
      "Examples:\n"
      "  holdfast replay events.jsonl -p new.toml\n"
      "  holdfast replay --from postgresql:///fleet --since 2026-11-28 -p new.toml");
  CLI::Option* file =
      replay_app->add_option("events", o.events, "File written by run --events, or holdfastd's log")
          ->type_name("EVENTS");
  CLI::Option* from =
      replay_app
          ->add_option("--from", o.from,
                       "Database with the events of many machines, which psql reads")
          ->type_name("postgresql://…")
          ->excludes(file);
  replay_app->add_option("--machine", o.machine, "With --from: only events of this machine")
      ->needs(from)
      ->type_name("ID");
  replay_app->add_option("--since", o.since, "With --from: from this day on")
      ->needs(from)
      ->type_name("YYYY-MM-DD");
  replay_app->add_option("--until", o.until, "With --from: up to this day")
      ->needs(from)
      ->type_name("YYYY-MM-DD");
  CLI::Option* policy =
      replay_app->add_option("-p,--policy", o.policies, "Policy; may be given several times")
          ->type_name("FILE|NAME")
          ->allow_extra_args(false);
  CLI::Option* bundle =
      replay_app->add_option("--bundle", o.bundle, "The policy of this machine after this bundle")
          ->excludes(policy)
          ->type_name("FILE");
  replay_app->add_option("--trust", o.trust, "With --bundle: a public key, or a directory of *.pub")
      ->needs(bundle)
      ->type_name("FILE|DIR")
      ->allow_extra_args(false);
  replay_app->add_option("--policy-dir", o.dirs, "With --bundle: a policy directory")
      ->needs(bundle)
      ->type_name("DIR")
      ->allow_extra_args(false);
  replay_app->add_option("--state-dir", o.state_dir, "With --bundle: directory of the record")
      ->needs(bundle)
      ->type_name("DIR");
  add_format(replay_app, o.format);
  add_progress(replay_app, o.progress);
  replay_app->callback([&status, file, from, policy, bundle] {
    if (policy->empty() && bundle->empty()) throw CLI::RequiredError("--policy");
    if (file->empty() && from->empty()) throw CLI::RequiredError("EVENTS");
    status = replay(o);
  });
}

void add_learn(CLI::App& app, int& status) {
  static LearnOptions o;
  CLI::App* learn_app = add_command(
      app, kEvents, "learn", "Propose the smallest policy that allows the recorded events",
      "Record with mode = \"audit\" and log = \"all\". What the events cannot tell is named on\n"
      "standard error.\n\n"
      "With --interactive, each kind of request that the policy refuses is shown with the\n"
      "smallest change that allows it. What is accepted is written to the one --policy, or\n"
      "without that to a drop-in of the policy of this machine. If holdfastd runs, the change\n"
      "is live at once, and comes back unless it is confirmed.\n\n"
      "Exit codes: 0 ok, 1 no policy can allow some of the events, 2 usage, policy or events\n"
      "are wrong.\n\n"
      "Examples:\n"
      "  holdfast learn events.jsonl -p audit.toml > web.toml\n"
      "  holdfast learn /var/lib/holdfast/events.jsonl --interactive");
  CLI::Option* json = learn_app->add_flag("--json", o.json, "Print JSON");
  learn_app
      ->add_flag("-i,--interactive", o.interactive, "Ask about each refusal, and change the policy")
      ->excludes(json);
  learn_app
      ->add_option("--policy-dir", o.dirs,
                   "With --interactive: a policy directory; may be given several times")
      ->type_name("DIR")
      ->allow_extra_args(false);
  add_socket(learn_app, o.socket);
  learn_app
      ->add_option("--confirm", o.confirm,
                   "With --interactive: how long a live change waits to be confirmed (60s)")
      ->type_name("TIME");
  add_progress(learn_app, o.progress);
  learn_app->add_option("events", o.events, "File written by run --events, or holdfastd's log")
      ->required()
      ->type_name("EVENTS");
  add_policies(learn_app, o.policies,
               "Policy with the cgroups, marks and tracked namespaces of the profiles");
  learn_app->callback([&status] { status = learn(o); });
}

void add_report(CLI::App& app, int& status) {
  static ReportOptions o;
  CLI::App* report_app = add_command(
      app, kEvents, "report", "Write a report about recorded events as an HTML file",
      "The file has no script and loads nothing. It shows decisions over time, who was refused\n"
      "what by which line, the profiles, movers and sandboxes of the policy, how strongly its\n"
      "rules are enforced, and what no profile holds.\n\n"
      "Exit codes: 0 ok, 1 the file cannot be written, 2 usage, policy or events are wrong.\n\n"
      "Example:\n"
      "  holdfast report events.jsonl --html report.html");
  report_app->add_option("events", o.events, "File written by run --events, or holdfastd's log")
      ->required()
      ->type_name("EVENTS");
  report_app->add_option("--html", o.html, "The file that is written; -: standard output")
      ->required()
      ->type_name("FILE");
  add_policies(report_app, o.policies, "Policy to show; else the one that decided the last event");
  add_progress(report_app, o.progress);
  report_app->callback([&status] { status = report(o); });
}

CLI::App* add_call(CLI::App& app, const char* name, const char* what, ControlOptions& o,
                   const char* footer) {
  CLI::App* call_app = add_command(app, kMachine, name, what, footer);
  add_socket(call_app, o.socket);
  add_format(call_app, o.format);
  return call_app;
}

void add_policy_option(CLI::App* app, PolicyOptions& o) {
  app->add_option("--policy-dir", o.dirs,
                  "Directory of *.toml files; a later one hides files of the same name. Default: "
                  "those that holdfastd reads")
      ->type_name("DIR")
      ->allow_extra_args(false);
}

CLI::App* add_policy_action(CLI::App& parent, const char* name, const char* what, PolicyOptions& o,
                            const char* footer) {
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer(footer);
  app->group("Commands");
  add_policy_option(app, o);
  add_socket(app, o.socket);
  return app;
}

void add_policy(CLI::App& app, int& status) {
  CLI::App* policy_app = add_command(app, kMachine, "policy",
                                     "List, show, compare, edit, enable and disable policy files",
                                     "Examples:\n"
                                     "  holdfast policy list\n"
                                     "  holdfast policy show web");
  policy_app->require_subcommand(1);

  static PolicyOptions list;
  CLI::App* list_app = add_policy_action(
      *policy_app, "list", "List the policy files, and what is in force of each", list,
      "used          it would be part of the policy; what is in force is not known\n"
      "in force      its text is part of the policy in force\n"
      "changed       its text is another than the one in force\n"
      "removed       it is in force, and its file is gone\n"
      "masked        a link to /dev/null\n"
      "hidden        a later directory has a file of the same name\n"
      "orphan        a drop-in of a file that does not exist or is masked\n"
      "refused       it cannot be read, or other users may write it\n"
      "not-live      it has mistakes; the policy in force is from before\n"
      "earlier-text  it has mistakes; its text of before is in force\n"
      "left-out      it has mistakes; nothing of it is in force\n\n"
      "Exit codes: 0 ok, 1 a file has one of the last four states, or an error.\n\n"
      "Example:\n"
      "  holdfast policy list --json");
  list_app->add_flag("--files", list.files, "Only the files, whatever is in force");
  add_format(list_app, list.format);
  list_app->callback([&status] { status = policy_list(list); });

  static PolicyOptions show;
  CLI::App* show_app = add_policy_action(
      *policy_app, "show", "Show the policy in force, and from which file each line comes", show,
      "Without a policy in force, the files are shown.\n\n"
      "Examples:\n"
      "  holdfast policy show web\n"
      "  holdfast policy show --text web.toml");
  show_app->add_option("name", show.name, "A profile or a file; none: everything")
      ->type_name("PROFILE|POLICY");
  show_app->add_flag("--files", show.files, "What the files state, whatever is in force");
  show_app->add_flag("--text", show.text, "The files as they are written, with their drop-ins");
  add_format(show_app, show.format);
  show_app->callback([&status] { status = policy_show(show); });

  static PolicyOptions diff;
  CLI::App* diff_app = add_policy_action(
      *policy_app, "diff", "Show how the files differ from the policy in force", diff,
      "Exit codes: 0 they state the same, 1 they differ, or an error.\n\n"
      "Examples:\n"
      "  holdfast policy diff\n"
      "  holdfast policy diff --vendor");
  diff_app->add_flag("--vendor", diff.vendor,
                     "Compare with the files of the directories before the last");
  add_format(diff_app, diff.format);
  diff_app->callback([&status] { status = policy_diff(diff); });

  static PolicyOptions edit;
  CLI::App* edit_app = add_policy_action(
      *policy_app, "edit", "Edit a policy, and check it before it is written", edit,
      "A file of an earlier directory gets a drop-in NAME.toml.d/override.toml. A file of the\n"
      "last directory, or with --full a copy of the file, is edited itself. The editor is\n"
      "$VISUAL, $EDITOR or vi.\n\n"
      "Examples:\n"
      "  holdfast policy edit nginx\n"
      "  holdfast policy edit --full nginx");
  edit_app->add_option("name", edit.name, "The file, without .toml")
      ->required()
      ->type_name("POLICY");
  edit_app->add_flag("--full", edit.full, "Edit the whole file, not a drop-in");
  edit_app->callback([&status] { status = policy_edit(edit); });

  static PolicyOptions enable;
  CLI::App* enable_app = add_policy_action(
      *policy_app, "enable", "Put a shipped profile in force, or remove a mask", enable,
      "Example:\n"
      "  holdfast policy enable nginx");
  enable_app->add_option("name", enable.name, "The profile's file, without .toml")
      ->required()
      ->type_name("POLICY");
  enable_app->add_option("--profiles", enable.profiles, "The directory of shipped profiles")
      ->type_name("DIR");
  enable_app->callback([&status] { status = policy_enable(enable); });

  static PolicyOptions disable;
  CLI::App* disable_app = add_policy_action(
      *policy_app, "disable", "Remove a link that enable made, or mask a vendor's file", disable,
      "Example:\n"
      "  holdfast policy disable nginx");
  disable_app->add_option("name", disable.name, "The file, without .toml")
      ->required()
      ->type_name("POLICY");
  disable_app->callback([&status] { status = policy_disable(disable); });
}

void add_trust(CLI::App* app, BundleOptions& o) {
  app->add_option("--trust", o.trust,
                  "A public key, or a directory of *.pub; may be given several times. Default: "
                  "/etc/holdfast/bundle-keys")
      ->type_name("FILE|DIR")
      ->allow_extra_args(false);
}

void add_machine(CLI::App* app, BundleOptions& o) {
  app->add_option("--policy-dir", o.dirs,
                  "Policy directory; the last one given gets the files. Default: those of a "
                  "machine")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app->add_option("--state-dir", o.state_dir, "Directory of the record (/var/lib/holdfast)")
      ->type_name("DIR");
}

void add_live(CLI::App* app, BundleOptions& o) {
  add_socket(app, o.socket);
  app->add_option("--confirm", o.confirm,
                  "Return to the policy that was confirmed last after this time, unless "
                  "confirmed: 60s, 5min")
      ->type_name("TIME");
  app->add_flag("--files-only", o.files_only, "Write the files, and do not make them live");
}

void add_bundle_make(CLI::App& parent, int& status) {
  static BundleMakeOptions o;
  CLI::App* app = add_command(
      parent, "Commands", "make", "Make a signed bundle of the policy files of a directory",
      "A name is numbers joined by '.' or '-'. It is the order: the machines refuse a bundle\n"
      "with an earlier name than one that they had. The same arguments give the same bytes.\n\n"
      "Exit codes: 0 ok, 1 failed, 2 wrong usage, or the policy has mistakes.\n\n"
      "Example:\n"
      "  holdfast bundle make policy --key fleet.key --name 2026-11-28.1");
  app->add_option("directory", o.directory, "NAME.toml and NAME.toml.d/*.toml, and nothing else")
      ->required()
      ->type_name("DIR");
  app->add_option("--key", o.key, "Private key: openssl genpkey -algorithm ed25519")
      ->required()
      ->type_name("FILE");
  app->add_option("--name", o.name, "The name, such as 2026-11-28.1")
      ->required()
      ->type_name("NAME");
  app->add_option("--ring", o.ring, "Only for the first machines, in percent (100)")
      ->check(CLI::Range(1, 100))
      ->type_name("PERCENT");
  app->add_option("--health", o.checks,
                  "A health check that the machines have to pass; may be given several times")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  app->add_option("-o,--output", o.out,
                  "The file that is written; - is standard output "
                  "(NAME.bundle)")
      ->type_name("FILE");
  app->add_option("--policy-dir", o.dirs,
                  "Directory of shared definitions; may be given several times. Default: "
                  "/usr/lib/holdfast/policy.d")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app->callback([&status] { status = bundle_make(o); });
}

void add_bundle(CLI::App& app, int& status) {
  CLI::App* bundle_app =
      add_command(app, kMachine, "bundle", "Make, verify and apply signed bundles of policy files",
                  "Examples:\n"
                  "  holdfast bundle verify 2026-11-28.1.bundle\n"
                  "  holdfast bundle show");
  bundle_app->require_subcommand(1);
  add_bundle_make(*bundle_app, status);

  static BundleOptions show;
  CLI::App* show_app = add_command(
      *bundle_app, "Commands", "show", "Show a bundle, or the one that is applied here",
      "Exit codes: 0 ok, 1 failed, or the files here are not as the bundle has them.\n\n"
      "Examples:\n"
      "  holdfast bundle show 2026-11-28.1.bundle\n"
      "  holdfast bundle show --json");
  show_app->add_option("file", show.file, "The bundle; none: the one that is applied here")
      ->type_name("FILE");
  add_trust(show_app, show);
  add_machine(show_app, show);
  add_format(show_app, show.format);
  show_app->callback([&status] { status = bundle_show(show); });

  static BundleOptions verify;
  CLI::App* verify_app = add_command(
      *bundle_app, "Commands", "verify", "Verify the signature and the form of a bundle",
      "Example:\n"
      "  holdfast bundle verify --trust fleet.pub 2026-11-28.1.bundle");
  verify_app->add_option("file", verify.file, "The bundle")->required()->type_name("FILE");
  add_trust(verify_app, verify);
  add_format(verify_app, verify.format);
  verify_app->callback([&status] { status = bundle_verify(verify); });

  static BundleOptions apply;
  CLI::App* apply_app = add_command(
      *bundle_app, "Commands", "apply",
      "Make the policy files those of a bundle, and make them live",
      "The signature is verified before anything else is read. A bundle with an earlier name\n"
      "than one that was applied is refused, and so is one that would replace a file of no\n"
      "bundle. After a crash the files are those of before, or those of the bundle.\n\n"
      "Exit codes: 0 ok, 1 failed or refused, 2 wrong usage, or the policy would have\n"
      "mistakes.\n\n"
      "Example:\n"
      "  holdfast bundle apply --confirm 60s 2026-11-28.1.bundle");
  apply_app->add_option("file", apply.file, "The bundle")->required()->type_name("FILE");
  add_trust(apply_app, apply);
  add_machine(apply_app, apply);
  add_live(apply_app, apply);
  apply_app
      ->add_option("--number", apply.number,
                   "This machine's number: refuse a bundle for fewer machines")
      ->check(CLI::Range(1, 100))
      ->type_name("1-100");
  apply_app->add_flag("--older", apply.older, "Apply it although a later one was applied before");
  apply_app->add_flag("--replace", apply.replace,
                      "Replace files that are of no bundle, or were changed");
  apply_app->callback([&status] { status = bundle_apply(apply); });

  static BundleOptions revert;
  CLI::App* revert_app = add_command(*bundle_app, "Commands", "revert",
                                     "Put back the files that the last bundle has replaced",
                                     "Example:\n"
                                     "  holdfast bundle revert");
  add_machine(revert_app, revert);
  add_live(revert_app, revert);
  revert_app->callback([&status] { status = bundle_revert(revert); });
}

void add_security(CLI::App& app, int& status) {
  static SecurityOptions o;
  CLI::App* security_app = add_command(
      app, kMachine, "security", "Score how much of each unit no rule restricts",
      "The score is from 0, everything is closed, to 10. It is made of what the policy states\n"
      "about the unit's cgroup, and of the user, the capabilities and the seccomp filters of its\n"
      "processes. For one unit the reasons are printed: + is closed, - is open.\n\n"
      "Exit codes: 0 ok, 1 a unit is over --threshold, 2 usage or policy error, 77 there is no\n"
      "unified hierarchy.\n\n"
      "Examples:\n"
      "  holdfast security\n"
      "  holdfast security nginx --threshold 4");
  security_app->add_option("unit", o.unit, "A unit; none: all")->type_name("UNIT");
  add_policies(security_app, o.policies, "Policy; else the one in force on this machine");
  security_app->add_option("--policy-dir", o.dirs, "Policy directory; may be given several times")
      ->type_name("DIR")
      ->allow_extra_args(false);
  security_app
      ->add_option("--threshold", o.threshold, "Fail if a unit's exposure is over this (10)")
      ->check(CLI::Range(0.0, 10.0))
      ->type_name("NUMBER");
  security_app->add_option("--root", o.root, "Look below DIR for sys/fs/cgroup and proc")
      ->type_name("DIR");
  add_socket(security_app, o.socket);
  add_json(security_app, o.json);
  security_app->callback([&status] { status = security(o); });
}

void add_top(CLI::App& app, int& status) {
  static TopOptions o;
  CLI::App* top_app = add_command(
      app, kMachine, "top", "Show refusals a second by profile, rule and unit on the terminal",
      "Keys: p, r, u  by profile, rule or unit    up, down  select a row\n"
      "      w        why the last refusal of the row happened\n"
      "      a, e     set the mode of the row's profile to audit or enforce\n"
      "      q        quit\n\n"
      "Exit codes: 0 ok, 1 holdfastd cannot be reached, 2 it is no terminal.\n\n"
      "Example:\n"
      "  holdfast top");
  add_socket(top_app, o.socket);
  top_app->callback([&status] { status = top(o); });
}

void add_control(CLI::App& app, int& status) {
  add_policy(app, status);
  add_bundle(app, status);
  add_security(app, status);
  add_top(app, status);

  static ControlOptions status_options;
  add_call(app, "status", "Show the policy in force, its profiles and totals", status_options,
           "Exit codes: 0 ok, 1 a policy file is not in force because of mistakes, or an error.\n\n"
           "Example:\n"
           "  holdfast status --json")
      ->callback([&status] { status = holdfast::cli::status(status_options); });

  static ControlOptions ps_options;
  add_call(app, "ps", "List the processes that are under a policy, and their namespaces",
           ps_options,
           "Example:\n"
           "  holdfast ps")
      ->callback([&status] { status = ps(ps_options); });

  static MonitorOptions monitor_options;
  CLI::App* monitor_app =
      add_call(app, "monitor", "Print the decisions of holdfastd as they are made", monitor_options,
               "Example:\n"
               "  holdfast monitor --profile web --verdict deny");
  monitor_app
      ->add_option("--profile", monitor_options.profile, "Only decisions by rules of this profile")
      ->type_name("PROFILE");
  monitor_app->add_option("--verdict", monitor_options.verdict, "Only this verdict")
      ->check(CLI::IsMember({"allow", "deny", "lock", "limit"}))
      ->type_name("WORD");
  monitor_app->callback([&status] { status = monitor(monitor_options); });

  static ModeOptions mode_options;
  CLI::App* mode_app =
      add_call(app, "mode", "Enforce or audit a profile until the mode is set again", mode_options,
               "The mode lasts over reloads and boots. holdfast status shows it.\n\n"
               "Examples:\n"
               "  holdfast mode web audit\n"
               "  holdfast mode web policy");
  mode_app->add_option("profile", mode_options.profile, "The profile")
      ->required()
      ->type_name("PROFILE");
  mode_app
      ->add_option("mode", mode_options.mode, "enforce, audit, or policy (the mode of its file)")
      ->required()
      ->check(CLI::IsMember({"enforce", "audit", "policy"}))
      ->type_name("MODE");
  mode_app->callback([&status] { status = set_mode(mode_options); });

  static ReloadOptions reload_options;
  CLI::App* reload_app = add_call(app, "reload", "Make the policy files live", reload_options,
                                  "Example:\n"
                                  "  holdfast reload --confirm 60s");
  reload_app
      ->add_option(
          "--confirm", reload_options.confirm,
          "Return to the policy that was confirmed last after this time, unless confirmed: 60s, "
          "5min")
      ->type_name("TIME");
  reload_app->callback([&status] { status = reload(reload_options); });

  static ControlOptions stage_options;
  add_call(app, "stage", "From now on changed files wait for a reload, until a policy is confirmed",
           stage_options,
           "Example:\n"
           "  holdfast stage")
      ->callback([&status] { status = stage(stage_options); });

  static ControlOptions confirm_options;
  add_call(app, "confirm", "Confirm the policy that reload --confirm made live", confirm_options,
           "Example:\n"
           "  holdfast confirm")
      ->callback([&status] { status = confirm(confirm_options); });

  static ControlOptions rollback_options;
  add_call(app, "rollback",
           "Make the confirmed policy live again, or the one before if it is live already",
           rollback_options,
           "Example:\n"
           "  holdfast rollback")
      ->callback([&status] { status = rollback(rollback_options); });

  static MetricsOptions metrics_options;
  CLI::App* metrics_app = add_command(app, kMachine, "metrics",
                                      "Print counters and sizes in the text format of Prometheus",
                                      "Example:\n"
                                      "  holdfast metrics > holdfast.prom");
  add_socket(metrics_app, metrics_options.socket);
  metrics_app->add_flag("--http", metrics_options.http,
                        "Answer one HTTP request on standard input, as a service of a socket unit");
  metrics_app->callback([&status] { status = metrics(metrics_options); });
}

void add_doctor(CLI::App& app, int& status) {
  static DoctorOptions o;
  CLI::App* doctor_app = add_command(
      app, kAbout, "doctor", "Probe this kernel, then test that each backend enforces",
      "With --fix, what keeps holdfast from enforcing is changed, each thing after a\n"
      "question: the lsm= parameter in the configuration of the boot loader, the hybrid\n"
      "cgroup hierarchy, and sysctls.\n\n"
      "Exit codes: 0 a backend enforces, or all was fixed; 1 failed, or something is left to\n"
      "do; 77 no backend can enforce here.\n\n"
      "Examples:\n"
      "  holdfast doctor\n"
      "  holdfast doctor --fix");
  add_format(doctor_app, o.format);
  CLI::Option* fix =
      doctor_app->add_flag("--fix", o.fix, "Change what keeps holdfast from enforcing");
  doctor_app->add_flag("--yes", o.yes, "With --fix: do not ask")->needs(fix);
  doctor_app->add_option("--root", o.root, "With --fix: the directory of another system")
      ->needs(fix)
      ->type_name("DIR");
  doctor_app->callback([&status] { status = doctor(o); });
}

void add_delegation_set(CLI::App* app, DelegateSetOptions& set) {
  app->add_option("--commands", set.commands, "BPF commands, or any")->type_name("WORD,…");
  app->add_option("--maps", set.maps, "Map types, or any")->type_name("WORD,…");
  app->add_option("--programs", set.programs, "Program types, or any")->type_name("WORD,…");
  app->add_option("--attachments", set.attachments, "Attach types, or any")->type_name("WORD,…");
}

void add_delegate(CLI::App& app, int& status) {
  CLI::App* delegate_app = add_command(
      app, kBpf, "delegate", "Delegate BPF privileges to a user namespace, and explain delegations",
      "Example:\n"
      "  holdfast delegate explain 4242");
  delegate_app->require_subcommand(1);

  static DelegateParseOptions parse_options;
  CLI::App* parse_app =
      add_command(*delegate_app, "Commands", "parse", "Print a delegation set as the kernel does",
                  "Example:\n"
                  "  holdfast delegate parse --commands map_create --maps array,hash");
  add_json(parse_app, parse_options.json);
  parse_app
      ->add_option("options", parse_options.options,
                   "Mount options: delegate_cmds=…,delegate_maps=…")
      ->type_name("OPTIONS");
  add_delegation_set(parse_app, parse_options.set);
  parse_app->callback([&status] { status = delegate_parse(parse_options); });

  static DelegateExplainOptions explain_options;
  CLI::App* explain_app =
      add_command(*delegate_app, "Commands", "explain",
                  "Explain what a delegation allows, and its effects outside of the container",
                  "Examples:\n"
                  "  holdfast delegate explain /sys/fs/bpf\n"
                  "  holdfast delegate explain 4242");
  add_json(explain_app, explain_options.json);
  explain_app
      ->add_option(
          "what", explain_options.what,
          "A path on a BPF filesystem, a pid, a token (fd:N or /proc/PID/fd/N), or mount options")
      ->required()
      ->type_name("MOUNT|PID|TOKEN|OPTIONS");
  explain_app->callback([&status] { status = delegate_explain(explain_options); });

  static DelegateMountOptions mount_options;
  CLI::App* mount_app =
      add_command(*delegate_app, "Commands", "mount",
                  "Mount a BPF filesystem with delegation for a user namespace",
                  "Example:\n"
                  "  holdfast delegate mount --userns 4242 --commands map_create --maps array");
  mount_app
      ->add_option("--userns", mount_options.userns,
                   "A process in the user namespace, or the namespace's file")
      ->required()
      ->type_name("PID|PATH");
  mount_app
      ->add_option("--at", mount_options.at,
                   "Mount point: with PID in its mount namespace (/sys/fs/bpf), with PATH in this "
                   "one")
      ->type_name("PATH");
  add_delegation_set(mount_app, mount_options.set);
  mount_app->callback([&status] { status = delegate_mount(mount_options); });
}

void add_oci_hook(CLI::App& app, int& status) {
  static OciHookOptions o;
  CLI::App* hook_app = add_command(
      app, kMachine, "oci-hook", "createRuntime hook: hold a container by a profile it asks for",
      "An OCI runtime calls it, with the state of the container on standard input.\n"
      "The annotation io.holdfast.profile names a profile of this machine's policy\n"
      "that says annotation = true. io.holdfast.delegate.* request a BPF delegation.\n\n"
      "Example:\n"
      "  holdfast oci-hook < state.json");
  hook_app->add_flag(
      "--require", o.require,
      "Fail if the state has no annotation of holdfast: the runtime did not pass it");
  add_socket(hook_app, o.socket);
  hook_app->callback([&status] { status = oci_hook(o); });
}

void add_label_action(CLI::App* label_app, const char* name, const char* help, const char* footer,
                      LabelOptions::Action action, LabelOptions& o, int& status) {
  CLI::App* action_app = add_command(*label_app, "Commands", name, help, footer);
  action_app
      ->add_option("target", o.target,
                   "PID:FD, a socket's cookie, fd:N (inherited), or the path of a bound socket")
      ->required()
      ->type_name("TARGET");
  if (action != LabelOptions::Action::list)
    action_app->add_option("name", o.name, "user.NAME")->required()->type_name("NAME");
  if (action == LabelOptions::Action::set)
    action_app->add_option("value", o.value, "The value")->required()->type_name("VALUE");
  action_app->add_flag("--json", o.json, "One JSON object");
  action_app->callback([&status, &o, action] {
    o.action = action;
    status = label(o);
  });
}

void add_label(CLI::App& app, int& status) {
  static LabelOptions o;
  CLI::App* label_app =
      add_command(app, kSockets, "label", "Labels (user.* attributes) of a socket",
                  "Example:\n"
                  "  holdfast label list 4242:3");
  label_app->require_subcommand(1);
  using Action = LabelOptions::Action;
  add_label_action(label_app, "set", "Set a label",
                   "Example:\n"
                   "  holdfast label set /run/app.sock user.varlink server",
                   Action::set, o, status);
  add_label_action(label_app, "get", "Print the value of a label",
                   "Example:\n"
                   "  holdfast label get 4242:3 user.varlink",
                   Action::get, o, status);
  add_label_action(label_app, "list", "Print all labels",
                   "Example:\n"
                   "  holdfast label list 4242:3",
                   Action::list, o, status);
  add_label_action(label_app, "remove", "Remove a label",
                   "Example:\n"
                   "  holdfast label remove 4242:3 user.varlink",
                   Action::remove, o, status);
}

void add_sockets(CLI::App& app, int& status) {
  static SocketsOptions o;
  CLI::App* sockets_app =
      add_command(app, kSockets, "sockets", "List the labelled sockets of the machine",
                  "Example:\n"
                  "  holdfast sockets --label user.varlink=server");
  sockets_app
      ->add_option("-l,--label", o.labels,
                   "Only sockets with this label; may be given several times")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  sockets_app->add_flag("--json", o.json, "Print JSON, one object a line");
  sockets_app->add_flag("-w,--watch", o.watch,
                        "Go on, and print sockets that appear, change or disappear");
  sockets_app->add_option("--interval", o.interval_ms, "Milliseconds between two surveys (1000)")
      ->type_name("MS")
      ->check(CLI::Range(10, 3600000));
  sockets_app->callback([&status] { status = sockets(o); });
}

void add_hooks(CLI::App& app, int& status) {
  CLI::App* hooks_app =
      add_command(app, kBpf, "hooks", "BPF LSM programs for hooks that this kernel may not have",
                  "Example:\n"
                  "  holdfast hooks status");
  hooks_app->require_subcommand(1);
  static HooksStatusOptions status_options;
  CLI::App* status_app = add_command(*hooks_app, "Commands", "status",
                                     "Show which hooks are native or bridged, and what is loaded",
                                     "Example:\n"
                                     "  holdfast hooks status --json");
  add_json(status_app, status_options.json);
  status_app->callback([&status] { status = hooks_status(status_options); });

  static HooksLoadOptions load_options;
  CLI::App* load_app = add_command(*hooks_app, "Commands", "load",
                                   "Load a BPF object, attach its programs and keep them attached",
                                   "Example:\n"
                                   "  holdfast hooks load --cgroup /sys/fs/cgroup/web lock.bpf.o");
  load_app->add_option("object", load_options.object, "A compiled object, unmodified")
      ->required()
      ->type_name("OBJ");
  load_app
      ->add_option("--pin", load_options.pin,
                   "Directory on a BPF filesystem (/sys/fs/bpf/holdfast/hooks/NAME)")
      ->type_name("DIR");
  load_app
      ->add_option("--cgroup", load_options.cgroup, "Apply only to tasks in this cgroup's subtree")
      ->type_name("PATH");
  load_app
      ->add_option("--alloc-refusal", load_options.alloc_refusal,
                   "If the object has a namespace_alloc program that can refuse: ask it before a "
                   "namespace is "
                   "made (ask), ask it and run it again afterwards (ask-and-tell), or run it "
                   "afterwards, and "
                   "kill the task that is refused or ignore the refusal")
      ->check(CLI::IsMember({"ask", "ask-and-tell", "kill", "ignore"}))
      ->type_name("WHAT");
  load_app->callback([&status] { status = hooks_load(load_options); });

  static HooksUnloadOptions unload_options;
  CLI::App* unload_app =
      add_command(*hooks_app, "Commands", "unload", "Detach and remove what `load` attached",
                  "Example:\n"
                  "  holdfast hooks unload lock");
  unload_app->add_option("what", unload_options.what, "Its name as in `status`, or its directory")
      ->required()
      ->type_name("NAME|DIR");
  unload_app->callback([&status] { status = hooks_unload(unload_options); });
}

// Is there a manual of the command, and was it shown?
bool show_manual(const std::vector<std::string>& words) {
  const std::string page = words.empty() ? "holdfast" : "holdfast-" + words[0];
  const auto shown =
      holdfast::kernel::run_script("man -w 1 \"$1\" > /dev/null 2>&1 && exec man 1 \"$1\"", page);
  return shown && *shown == 0;
}

// `help` and `version`, for those who are used to them.
void add_about(CLI::App& app, int& status) {
  static std::vector<std::string> words;
  static bool text = false;
  CLI::App* help_app =
      add_command(app, kAbout, "help", "Open the manual of a command, or print its help",
                  "The manual is opened on a terminal, if it is installed.\n\n"
                  "Examples:\n"
                  "  holdfast help learn\n"
                  "  holdfast help --text policy edit");
  help_app->add_option("command", words, "The command")->type_name("COMMAND");
  help_app->add_flag("--text", text, "Print the help, also on a terminal");
  help_app->callback([&app, &status] {
    const Named named = named_command(app, words);
    if (named.rest.empty()) {
      if (!text && kernel::is_terminal(STDOUT_FILENO) && show_manual(words)) {
        status = kExitOk;
        return;
      }
      fmt::print("{}", HelpFormatter().make_help(named.app, "", CLI::AppFormatMode::Normal));
      status = kExitOk;
      return;
    }
    fmt::print(stderr, "{}", mistake_text(app, words, CLI::ParseError("", 0)));
    status = kExitUsage;
  });
  add_command(app, kAbout, "version", "Print the version",
              "Example:\n"
              "  holdfast version")
      ->callback([&status] {
        fmt::print("holdfast {}\n", HOLDFAST_VERSION);
        status = kExitOk;
      });
}

void add_commands(CLI::App& app, int& status) {
  app.name("holdfast");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 1 failed, 2 usage or policy error, 77 not possible on this machine.\n"
      "`run` exits with the exit code of its command.\n\n"
      "holdfast help COMMAND tells more. Manuals: holdfast(1), holdfast-policy(5),\n"
      "holdfastd(8).");
  add_run(app, status);
  add_check(app, status);
  add_test(app, status);
  add_why(app, status);
  add_control(app, status);
  add_replay(app, status);
  add_learn(app, status);
  add_report(app, status);
  add_label(app, status);
  add_sockets(app, status);
  add_hooks(app, status);
  add_delegate(app, status);
  add_oci_hook(app, status);
  add_doctor(app, status);
  add_about(app, status);
}

// Then the arguments are parsed, and no command does anything. For tests of documents.
void forget_callbacks(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands({})) {
    command->callback([] {});
    forget_callbacks(*command);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == kSelfTestArgument) return self_test();
  if (argc == 2 && holdfast::backend::connect_helper::is_connect_helper_argument(argv[1]))
    holdfast::backend::connect_helper::run_connect_helper();
  CLI::App app{
      "Keeps programs in the namespaces and cgroups they belong to, and explains each decision."};
  int status = kExitOk;
  add_commands(app, status);
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words[0] == kCompleteArgument) {
    fmt::print("{}", completions(app, {words.begin() + 1, words.end()}));
    return kExitOk;
  }
  const bool only_parses = !words.empty() && words[0] == kParseArgument;
  if (only_parses) {
    words.erase(words.begin());
    forget_callbacks(app);
  }
  try {
    app.parse(only_parses ? argc - 1 : argc, only_parses ? argv + 1 : argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}", mistake_text(app, words, error));
    return kExitUsage;
  }
  return status;
}
