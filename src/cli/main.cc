// SPDX-License-Identifier: Apache-2.0
// `holdfast`: parses the arguments and calls the command's function (commands.h).
#include <CLI/CLI.hpp>

#include "backend/connect_helper/process.h"
#include "cli/commands.h"
#include "cli/self_test.h"

namespace {

using namespace holdfast::cli;

void add_run(CLI::App& app, int& status) {
  static RunOptions o;
  CLI::App* run_app = app.add_subcommand("run", "Run a command under a policy");
  run_app->add_option("-p,--policy", o.policies, "Policy file; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  run_app->add_option("--profile", o.profile, "Profile the command is a member of")
      ->type_name("NAME");
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
  CLI::App* check_app = app.add_subcommand("check", "Validate policy files");
  CLI::Option* files =
      check_app->add_option("files", o.files, "Policy files that together form one policy")
          ->type_name("FILE");
  CLI::Option* strength =
      check_app->add_flag("--strength", o.strength,
                          "Show how strongly each backend and holdfastd enforce the rules here");
  check_app->add_flag("--schema", o.schema, "Print the JSON Schema of a policy file. Read no file")
      ->excludes(files)
      ->excludes(strength);
  check_app->callback([&status, files] {
    if (files->empty() && !o.schema) throw CLI::RequiredError("files");
    status = check(o);
  });
}

void add_why(CLI::App& app, int& status) {
  static WhyOptions o;
  CLI::App* why_app =
      app.add_subcommand("why", "Explain a decision: its rule, and what would change it");
  why_app
      ->add_option("request", o.request,
                   "'profile=web hook=namespace_install type=net target=host', or an event's id")
      ->required()
      ->type_name("REQUEST|EVENT-ID");
  why_app->add_option("-p,--policy", o.policies, "Policy file; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  why_app->add_option("--events", o.events, "File written by run --events; else holdfastd's log")
      ->type_name("FILE");
  why_app->callback([&status] { status = why(o); });
}

void add_replay(CLI::App& app, int& status) {
  static ReplayOptions o;
  CLI::App* replay_app =
      app.add_subcommand("replay", "List the recorded decisions that another policy would change");
  replay_app->add_option("events", o.events, "File written by run --events, or holdfastd's log")
      ->required()
      ->type_name("EVENTS");
  replay_app->add_option("-p,--policy", o.policies, "Policy file; may be given several times")
      ->required()
      ->type_name("FILE")
      ->allow_extra_args(false);
  replay_app->add_option("--format", o.format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->type_name("FORMAT");
  replay_app->footer(
      "Exit codes: 0 nothing differs, 1 some decisions differ, 2 usage, policy or events are "
      "wrong.");
  replay_app->callback([&status] { status = replay(o); });
}

void add_learn(CLI::App& app, int& status) {
  static LearnOptions o;
  CLI::App* learn_app =
      app.add_subcommand("learn", "Propose the smallest policy that allows the recorded events");
  learn_app->add_option("events", o.events, "File written by run --events, or holdfastd's log")
      ->required()
      ->type_name("EVENTS");
  learn_app
      ->add_option("-p,--policy", o.policies,
                   "Policy with the cgroups, marks and tracked namespaces of the profiles")
      ->type_name("FILE")
      ->allow_extra_args(false);
  learn_app->footer(
      "Exit codes: 0 ok, 1 no policy can allow some of the events, 2 usage, policy or events "
      "are wrong.");
  learn_app->callback([&status] { status = learn(o); });
}

CLI::App* add_call(CLI::App& app, const char* name, const char* what, ControlOptions& o) {
  CLI::App* call_app = app.add_subcommand(name, what);
  call_app->add_option("--socket", o.socket, "The socket of holdfastd (io.holdfast.Control)")
      ->type_name("PATH");
  return call_app;
}

void add_format(CLI::App* app, ControlOptions& o) {
  app->add_option("--format", o.format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->type_name("FORMAT");
}

void add_control(CLI::App& app, int& status) {
  static ControlOptions status_options;
  CLI::App* status_app =
      add_call(app, "status", "Show the policy in force, its profiles and totals", status_options);
  add_format(status_app, status_options);
  status_app->callback([&status] { status = holdfast::cli::status(status_options); });

  static ControlOptions ps_options;
  CLI::App* ps_app = add_call(
      app, "ps", "List the processes that are under a policy, and their namespaces", ps_options);
  add_format(ps_app, ps_options);
  ps_app->callback([&status] { status = ps(ps_options); });

  static MonitorOptions monitor_options;
  CLI::App* monitor_app = add_call(
      app, "monitor", "Print the decisions of holdfastd as they are made", monitor_options);
  add_format(monitor_app, monitor_options);
  monitor_app
      ->add_option("--profile", monitor_options.profile, "Only decisions by rules of this profile")
      ->type_name("NAME");
  monitor_app->add_option("--verdict", monitor_options.verdict, "Only this verdict: allow, deny")
      ->type_name("WORD");
  monitor_app->callback([&status] { status = monitor(monitor_options); });

  static MetricsOptions metrics_options;
  CLI::App* metrics_app = add_call(
      app, "metrics", "Print counters and sizes in the text format of Prometheus", metrics_options);
  metrics_app->add_flag("--http", metrics_options.http,
                        "Answer one HTTP request on standard input, as a service of a socket unit");
  metrics_app->callback([&status] { status = metrics(metrics_options); });

  static ReloadOptions reload_options;
  CLI::App* reload_app = add_call(app, "reload", "Make the policy files live", reload_options);
  reload_app
      ->add_option(
          "--confirm", reload_options.confirm,
          "Return to the policy that was confirmed last after this time, unless confirmed: 60s, "
          "5min")
      ->type_name("TIME");
  reload_app->callback([&status] { status = reload(reload_options); });

  static ControlOptions stage_options;
  add_call(app, "stage", "From now on changed files wait for a reload, until a policy is confirmed",
           stage_options)
      ->callback([&status] { status = stage(stage_options); });

  static ControlOptions confirm_options;
  add_call(app, "confirm", "Confirm the policy that reload --confirm made live", confirm_options)
      ->callback([&status] { status = confirm(confirm_options); });

  static ControlOptions rollback_options;
  add_call(app, "rollback",
           "Make the confirmed policy live again, or the one before if it is live already",
           rollback_options)
      ->callback([&status] { status = rollback(rollback_options); });

  static ModeOptions mode_options;
  CLI::App* mode_app =
      add_call(app, "mode", "Enforce or audit a profile from now on", mode_options);
  mode_app->add_option("profile", mode_options.profile, "The profile")
      ->required()
      ->type_name("PROFILE");
  mode_app
      ->add_option("mode", mode_options.mode, "enforce, audit, or policy (the mode of its file)")
      ->required()
      ->check(CLI::IsMember({"enforce", "audit", "policy"}))
      ->type_name("MODE");
  mode_app->callback([&status] { status = set_mode(mode_options); });
}

void add_doctor(CLI::App& app, int& status) {
  static DoctorOptions o;
  CLI::App* doctor_app =
      app.add_subcommand("doctor", "Probe this kernel, then test that each backend enforces");
  doctor_app->add_option("--format", o.format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->type_name("FORMAT");
  doctor_app->callback([&status] { status = doctor(o); });
}

void add_delegation_set(CLI::App* app, DelegateSetOptions& set) {
  app->add_option("--commands", set.commands, "BPF commands, or any")->type_name("WORD,…");
  app->add_option("--maps", set.maps, "Map types, or any")->type_name("WORD,…");
  app->add_option("--programs", set.programs, "Program types, or any")->type_name("WORD,…");
  app->add_option("--attachments", set.attachments, "Attach types, or any")->type_name("WORD,…");
}

void add_delegate(CLI::App& app, int& status) {
  CLI::App* delegate_app = app.add_subcommand(
      "delegate", "Delegate BPF privileges to a user namespace, and explain delegations");
  delegate_app->require_subcommand(1);

  static DelegateParseOptions parse_options;
  CLI::App* parse_app =
      delegate_app->add_subcommand("parse", "Print a delegation set as the kernel does");
  parse_app
      ->add_option("options", parse_options.options,
                   "Mount options: delegate_cmds=…,delegate_maps=…")
      ->type_name("OPTIONS");
  add_delegation_set(parse_app, parse_options.set);
  parse_app->callback([&status] { status = delegate_parse(parse_options); });

  static DelegateExplainOptions explain_options;
  CLI::App* explain_app = delegate_app->add_subcommand(
      "explain", "Explain what a delegation allows, and its effects outside of the container");
  explain_app
      ->add_option(
          "what", explain_options.what,
          "A path on a BPF filesystem, a pid, a token (fd:N or /proc/PID/fd/N), or mount options")
      ->required()
      ->type_name("MOUNT|PID|TOKEN|OPTIONS");
  explain_app->callback([&status] { status = delegate_explain(explain_options); });

  static DelegateMountOptions mount_options;
  CLI::App* mount_app = delegate_app->add_subcommand(
      "mount", "Mount a BPF filesystem with delegation for a user namespace");
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
  app.add_subcommand(
         "oci-hook",
         "createRuntime hook: mount the BPF delegation that a container's annotations request")
      ->callback([&status] { status = oci_hook(); });
}

void add_label_action(CLI::App* label_app, const char* name, const char* help,
                      LabelOptions::Action action, LabelOptions& o, int& status) {
  CLI::App* action_app = label_app->add_subcommand(name, help);
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
  CLI::App* label_app = app.add_subcommand("label", "Labels (user.* attributes) of a socket");
  label_app->require_subcommand(1);
  using Action = LabelOptions::Action;
  add_label_action(label_app, "set", "Set a label", Action::set, o, status);
  add_label_action(label_app, "get", "Print the value of a label", Action::get, o, status);
  add_label_action(label_app, "list", "Print all labels", Action::list, o, status);
  add_label_action(label_app, "remove", "Remove a label", Action::remove, o, status);
}

void add_sockets(CLI::App& app, int& status) {
  static SocketsOptions o;
  CLI::App* sockets_app = app.add_subcommand("sockets", "List the labelled sockets of the machine");
  sockets_app
      ->add_option("-l,--label", o.labels,
                   "Only sockets with this label; may be given several times")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  sockets_app->add_flag("--json", o.json, "One JSON object a line");
  sockets_app->add_flag("-w,--watch", o.watch,
                        "Go on, and print sockets that appear, change or disappear");
  sockets_app->add_option("--interval", o.interval_ms, "Milliseconds between two surveys (1000)")
      ->type_name("MS")
      ->check(CLI::Range(10, 3600000));
  sockets_app->callback([&status] { status = sockets(o); });
}

void add_hooks(CLI::App& app, int& status) {
  CLI::App* hooks_app =
      app.add_subcommand("hooks", "BPF LSM programs for hooks that this kernel may not have");
  hooks_app->require_subcommand(1);
  hooks_app->add_subcommand("status", "Show which hooks are native or bridged, and what is loaded")
      ->callback([&status] { status = hooks_status(); });

  static HooksLoadOptions load_options;
  CLI::App* load_app = hooks_app->add_subcommand(
      "load", "Load a BPF object, attach its programs and keep them attached");
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
      ->add_option(
          "--alloc-refusal", load_options.alloc_refusal,
          "If the object has a namespace_alloc program that can refuse: reject the object, "
          "kill the task that is refused, or ignore the refusal")
      ->check(CLI::IsMember({"reject", "kill", "ignore"}))
      ->type_name("WHAT");
  load_app->callback([&status] { status = hooks_load(load_options); });

  static HooksUnloadOptions unload_options;
  CLI::App* unload_app =
      hooks_app->add_subcommand("unload", "Detach and remove what `load` attached");
  unload_app->add_option("what", unload_options.what, "Its name as in `status`, or its directory")
      ->required()
      ->type_name("NAME|DIR");
  unload_app->callback([&status] { status = hooks_unload(unload_options); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == kSelfTestArgument) return self_test();
  if (argc == 2 && holdfast::backend::connect_helper::is_connect_helper_argument(argv[1]))
    holdfast::backend::connect_helper::run_connect_helper();
  CLI::App app{
      "Keeps programs in the namespaces and cgroups they belong to, and explains each decision."};
  app.name("holdfast");
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 1 failed, 2 usage or policy error, 77 not possible on this machine.\n"
      "`run` exits with the exit code of its command.");
  int status = kExitOk;
  add_run(app, status);
  add_check(app, status);
  add_why(app, status);
  add_replay(app, status);
  add_learn(app, status);
  add_control(app, status);
  add_doctor(app, status);
  add_delegate(app, status);
  add_label(app, status);
  add_sockets(app, status);
  add_hooks(app, status);
  add_oci_hook(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return status;
}
