// SPDX-License-Identifier: Apache-2.0
// One function for each command of `holdfast`, with its options. Each function prints its result
// and errors, and returns the exit code of the process. One thread.
#ifndef HOLDFAST_CLI_COMMANDS_H
#define HOLDFAST_CLI_COMMANDS_H

#include <string>
#include <vector>

namespace holdfast::cli {

// Exit codes of every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;        // bad usage or bad policy
inline constexpr int kExitImpossible = 77;  // not possible on this machine

struct RunOptions {
  std::vector<std::string> policies;  // files or names; empty: see `profile`
  // Empty: the only profile of the policy, or without a policy an unrestricted one. Without a policy
  // it also says which policy: NAME.toml, or else that of this machine.
  std::string profile;
  std::string backend = "auto";      // auto, lsm, supervisor
  std::vector<std::string> unshare;  // namespace types
  std::string mode;                  // "", "enforce", "audit": overrides the policy
  std::string events;                // file that receives every event as a JSON line; empty: none
  std::string format = "auto";       // format of refusals on stderr: auto, pretty, json
  bool quiet = false;                // nothing at the end
  bool verbose = false;              // the whole summary
  std::string colour = "auto";       // auto, always, never
  bool kill_tree = false;            // what the command leaves behind is killed, not waited for
  std::vector<std::string> command;
};
int run(const RunOptions& options);

struct CheckOptions {
  std::vector<std::string> files;
  bool strength = false;
  bool schema = false;  // prints the JSON Schema of a policy file; files are not read
  bool json = false;
};
int check(const CheckOptions& options);

struct TestOptions {
  std::vector<std::string> files;  // policy files; empty: the policy of this machine
  std::vector<std::string> dirs;   // policy directories; empty: the usual ones
  bool all_rules = false;          // a rule that no test reaches is a failure
  bool verbose = false;            // also print the tests that pass
  bool json = false;
};
// Returns kExitFailed if a test fails or there is none, kExitUsage if the policy or a request is
// wrong.
int test(const TestOptions& options);

struct WhyOptions {
  std::vector<std::string> request;  // the words of 'key=value …', or an event's id
  bool json = false;
  std::vector<std::string> policies;
  std::string events = "/var/lib/holdfast/events.jsonl";  // the file that contains the event
  std::string progress = "auto";                          // auto, always, never
};
int why(const WhyOptions& options);

struct ReplayOptions {
  std::string events;   // empty: see `from`
  std::string from;     // postgresql://…: the events of a fleet (cli/fleet_events.h)
  std::string machine;  // with `from`: only of this machine; empty: of all
  std::string since;    // with `from`: a day, 2026-11-28; empty: all
  std::string until;    // with `from`: the last day; empty: all
  std::vector<std::string> policies;
  // Instead of `policies`: the policy of this machine after this bundle (BundleOptions).
  std::string bundle;
  std::vector<std::string> trust;
  std::vector<std::string> dirs;
  std::string state_dir = "/var/lib/holdfast";
  std::string format = "pretty";  // pretty, json
  std::string progress = "auto";  // auto, always, never
};
// Returns kExitOk if every decision would be the same, kExitFailed if some would not.
int replay(const ReplayOptions& options);

struct LearnOptions {
  std::string events;
  std::vector<std::string> policies;  // the bindings come from these; may be empty
  bool json = false;
  std::string progress = "auto";  // auto, always, never
  // Ask about each refusal, and change the policy: the one file in `policies`, or that of this
  // machine.
  bool interactive = false;
  std::vector<std::string> dirs;  // policy directories; empty: the usual ones
  std::string socket = "/run/holdfast/io.holdfast.Control";
  std::string confirm = "60s";  // how long a change waits to be confirmed
};
// Returns kExitFailed if no policy can allow some of the events.
int learn(const LearnOptions& options);

struct ReportOptions {
  std::string events;
  std::vector<std::string> policies;  // empty: the policy that decided the last event
  std::string html;                   // the file that is written; "-": standard output
  std::string progress = "auto";      // auto, always, never
};
int report(const ReportOptions& options);

struct SecurityOptions {
  std::string unit;                   // empty: all units
  std::vector<std::string> policies;  // empty: the policy in force, or else that of the directories
  std::vector<std::string> dirs;      // policy directories; empty: the usual ones
  std::string root;                   // the directory that has sys/fs/cgroup and proc; empty: /
  double threshold = 10;
  bool json = false;
  std::string socket = "/run/holdfast/io.holdfast.Control";
};
// Returns kExitFailed if a unit's exposure is over the threshold.
int security(const SecurityOptions& options);

// Options of all commands that call holdfastd.
struct ControlOptions {
  std::string socket = "/run/holdfast/io.holdfast.Control";
  std::string format = "pretty";  // pretty, json
};
int status(const ControlOptions& options);
int ps(const ControlOptions& options);
int stage(const ControlOptions& options);
int confirm(const ControlOptions& options);
int rollback(const ControlOptions& options);

struct MetricsOptions : ControlOptions {
  bool http = false;  // answer one HTTP request on standard input and output
};
int metrics(const MetricsOptions& options);

struct MonitorOptions : ControlOptions {
  std::string profile;  // only decisions by rules of this profile; empty: any
  std::string verdict;  // "deny", "allow"; empty: any
};
int monitor(const MonitorOptions& options);

struct TopOptions {
  std::string socket = "/run/holdfast/io.holdfast.Control";
};
// If a signal ends it, the process ends by that signal.
int top(const TopOptions& options);

struct ReloadOptions : ControlOptions {
  std::string confirm;  // a duration such as "60s"; empty: no confirmation needed
};
int reload(const ReloadOptions& options);

struct ModeOptions : ControlOptions {
  std::string profile;
  std::string mode;  // enforce, audit, policy
};
int set_mode(const ModeOptions& options);

// Options of `policy list`, `show`, `diff`, `edit`, `enable` and `disable`.
struct PolicyOptions : ControlOptions {
  std::string name;               // of a policy or, with show, of a profile; may be empty there
  std::vector<std::string> dirs;  // policy directories; empty: the usual ones
  std::string profiles = "/usr/share/holdfast/profiles";  // what enable may link to
  bool files = false;   // list, show: the files, whatever is in force
  bool text = false;    // show: the files as they are written
  bool vendor = false;  // diff: compare with the directories before the last
  bool full = false;    // edit: the whole file, not a drop-in
};
// Returns kExitFailed if a file's present text is not in force because of mistakes.
int policy_list(const PolicyOptions& options);
int policy_show(const PolicyOptions& options);
// Returns kExitFailed if there are differences.
int policy_diff(const PolicyOptions& options);
// These return kExitUsage, and change nothing, if the files would have mistakes.
int policy_edit(const PolicyOptions& options);
int policy_enable(const PolicyOptions& options);
int policy_disable(const PolicyOptions& options);

struct BundleMakeOptions {
  std::string directory;            // its policy files go into the bundle
  std::string key;                  // file of an Ed25519 private key in PEM
  std::string name;                 // numbers joined by '.' or '-'
  unsigned ring = 100;              // percent of the machines
  std::vector<std::string> checks;  // names of health checks
  std::string out;  // the file that is written; "-": standard output; empty: NAME.bundle
  std::vector<std::string> dirs;  // with shared definitions; empty: those of the vendor
};
int bundle_make(const BundleMakeOptions& options);

// Options of `bundle show`, `verify`, `apply` and `revert`.
struct BundleOptions : ControlOptions {
  std::string file;                // with show empty: the bundle that is applied
  std::vector<std::string> trust;  // public keys, or directories of them; empty: the usual one
  std::vector<std::string> dirs;   // policy directories; empty: the usual ones
  std::string state_dir = "/var/lib/holdfast";
  std::string confirm;   // a duration; empty: no confirmation needed
  bool older = false;    // an older bundle may be applied
  bool replace = false;  // files of no bundle may be replaced
  unsigned number = 0;   // of this machine, from 1 to 100, compared with the ring; 0: not compared
  bool files_only = false;  // do not ask holdfastd to make the files live
};
// Without a file, returns kExitFailed if the files are not as the bundle has them.
int bundle_show(const BundleOptions& options);
int bundle_verify(const BundleOptions& options);
// These return kExitUsage, and change nothing, if the policy would have mistakes.
int bundle_apply(const BundleOptions& options);
int bundle_revert(const BundleOptions& options);

struct DoctorOptions {
  std::string format = "pretty";  // pretty, json
  bool fix = false;
  bool yes = false;  // with fix: do not ask
  std::string root;  // with fix: the system whose files are changed; empty: this one
};
int doctor(const DoctorOptions& options);
// Returns kExitFailed if something is left to do.
int doctor_fix(const DoctorOptions& options);

// A delegation set as the user writes it: names joined by ',' or ':'.
struct DelegateSetOptions {
  std::string commands;
  std::string maps;
  std::string programs;
  std::string attachments;
};

struct DelegateParseOptions {
  DelegateSetOptions set;
  std::string options;  // "delegate_cmds=…,delegate_maps=…", added to `set`
  bool json = false;
};
int delegate_parse(const DelegateParseOptions& options);

struct DelegateExplainOptions {
  std::string what;  // a pid, a path on a BPF filesystem, fd:N or /proc/PID/fd/N, delegate_*=…
  bool json = false;
};
int delegate_explain(const DelegateExplainOptions& options);

struct DelegateMountOptions {
  DelegateSetOptions set;
  std::string userns;  // a pid or a namespace file
  std::string at;      // empty: /sys/fs/bpf
};
int delegate_mount(const DelegateMountOptions& options);

struct OciHookOptions {
  bool require = false;  // a container without annotations of holdfast is a mistake
  std::string socket = "/run/holdfast/io.holdfast.Control";
};
// Reads the state of an OCI container from standard input. Returns kExitUsage if it or one of its
// annotations is wrong, and kExitFailed if the container cannot have what they ask for.
int oci_hook(const OciHookOptions& options);

struct LabelOptions {
  enum class Action { set, get, list, remove } action = Action::get;
  std::string target;  // PID:FD, a cookie, fd:N, a path
  std::string name;    // user.NAME; not with list
  std::string value;   // with set
  bool json = false;
  std::string socket = ControlOptions().socket;  // of holdfastd, for kernels that keep no labels
};
int label(const LabelOptions& options);

struct SocketsOptions {
  std::vector<std::string> labels;  // NAME or NAME=VALUE: only sockets that have all of them
  bool json = false;
  bool watch = false;           // go on, and print sockets that appear, change or disappear
  unsigned interval_ms = 1000;  // time between two surveys
  std::string socket = ControlOptions().socket;  // as in LabelOptions
};
int sockets(const SocketsOptions& options);

struct HooksStatusOptions {
  bool json = false;
};
int hooks_status(const HooksStatusOptions& options);

struct HooksLoadOptions {
  std::string object;
  std::string pin;     // directory on a BPF filesystem; empty: /sys/fs/bpf/holdfast/hooks/NAME
  std::string cgroup;  // path of a cgroup directory; empty: all tasks
  std::string alloc_refusal = "ask";  // ask, ask-and-tell, kill, ignore
};
int hooks_load(const HooksLoadOptions& options);

struct HooksUnloadOptions {
  std::string what;  // NAME as `hooks status` shows it, or the directory
};
int hooks_unload(const HooksUnloadOptions& options);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_COMMANDS_H
