// SPDX-License-Identifier: Apache-2.0 One function for each command of `holdfast`, with its
// options. Each function prints its result and errors, and returns the exit code of the process.
// One thread.
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
  std::vector<std::string> policies;  // files; empty: the only profile is unrestricted
  std::string profile;                // empty: the only profile of the policy
  std::string backend = "auto";       // auto, lsm, supervisor
  std::vector<std::string> unshare;   // namespace types
  std::string mode;                   // "", "enforce", "audit": overrides the policy
  std::string events;                 // file that receives every event as a JSON line; empty: none
  std::string format = "auto";        // format of refusals on stderr: auto, pretty, json
  bool quiet = false;                 // nothing at the end
  bool verbose = false;               // the whole summary
  std::string colour = "auto";        // auto, always, never
  std::vector<std::string> command;
};
int run(const RunOptions& options);

struct CheckOptions {
  std::vector<std::string> files;
  bool strength = false;
  bool schema = false;  // prints the JSON Schema of a policy file; files are not read
};
int check(const CheckOptions& options);

struct WhyOptions {
  std::string request;  // 'key=value …' or an event's id
  std::vector<std::string> policies;
  std::string events = "/var/lib/holdfast/events.jsonl";  // the file that contains the event
};
int why(const WhyOptions& options);

struct ReplayOptions {
  std::string events;
  std::vector<std::string> policies;
  std::string format = "pretty";  // pretty, json
};
// Returns kExitOk if every decision would be the same, kExitFailed if some would not.
int replay(const ReplayOptions& options);

struct LearnOptions {
  std::string events;
  std::vector<std::string> policies;  // the bindings come from these; may be empty
};
// Returns kExitFailed if no policy can allow some of the events.
int learn(const LearnOptions& options);

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

struct ReloadOptions : ControlOptions {
  std::string confirm;  // a duration such as "60s"; empty: no confirmation needed
};
int reload(const ReloadOptions& options);

struct ModeOptions : ControlOptions {
  std::string profile;
  std::string mode;  // enforce, audit, policy
};
int set_mode(const ModeOptions& options);

struct DoctorOptions {
  std::string format = "pretty";  // pretty, json
};
int doctor(const DoctorOptions& options);

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
};
int delegate_parse(const DelegateParseOptions& options);

struct DelegateExplainOptions {
  std::string what;  // a pid, a path on a BPF filesystem, fd:N or /proc/PID/fd/N, delegate_*=…
};
int delegate_explain(const DelegateExplainOptions& options);

struct DelegateMountOptions {
  DelegateSetOptions set;
  std::string userns;  // a pid or a namespace file
  std::string at;      // empty: /sys/fs/bpf
};
int delegate_mount(const DelegateMountOptions& options);

// Reads the state of an OCI container from standard input.
int oci_hook();

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

int hooks_status();

struct HooksLoadOptions {
  std::string object;
  std::string pin;     // directory on a BPF filesystem; empty: /sys/fs/bpf/holdfast/hooks/NAME
  std::string cgroup;  // path of a cgroup directory; empty: all tasks
  std::string alloc_refusal = "reject";  // reject, kill, ignore
};
int hooks_load(const HooksLoadOptions& options);

struct HooksUnloadOptions {
  std::string what;  // NAME as `hooks status` shows it, or the directory
};
int hooks_unload(const HooksUnloadOptions& options);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_COMMANDS_H
