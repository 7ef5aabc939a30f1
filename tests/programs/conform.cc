// SPDX-License-Identifier: Apache-2.0
// conform [OPTION]... TABLE...: runs the cases of conform.h against a backend, and prints TAP.
//
//   --holdfast PATH    the program under test; holdfastd is beside it
//   --backend NAME     lsm, supervisor: a run; service: tasks of a cgroup, container: what the OCI hook
//                      binds, both under a holdfastd that this starts
//   --only REGEX       cases whose name matches
//   --userns           as root of a user namespace of its own (an ordinary user can)
//   --bare             only the bare runs: that each attack works where nobody enforces
//   --keep             leave the folder with policies and events
//
// Cases with the same policy share a run (conform_batch). Each event is also decided again from
// what it recorded: the same policy has to give the same verdict.
#include "conform.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/decide.h"
#include "events/event_json.h"
#include "events/guard_event.h"
#include "policy/load.h"
#include "policy/policy_text.h"

namespace {

namespace fs = std::filesystem;
using conform::Case;
using conform::Table;
using Lines = std::vector<std::string>;

// For one case; many times more on a machine that is so many times slower (tests/tap.sh).
int timeout_ms() {
  const char* factor = std::getenv("HOLDFAST_WAIT_FACTOR");
  return 120'000 * std::max(factor ? std::atoi(factor) : 1, 1);
}
constexpr std::string_view kBatchProgram = "conform_batch";

struct Options {
  std::string holdfast, backend, only = ".";
  bool userns = false, bare = false, keep = false;
  Lines tables;
};

Options options;
std::string bin_folder, work_folder;
int test_number = 0;

void tap(bool passed, const std::string& name, const Lines& diagnostics) {
  std::printf("%sok %d - %s\n", passed ? "" : "not ", ++test_number, name.c_str());
  for (const std::string& line : diagnostics) std::printf("# %s\n", line.c_str());
  std::fflush(stdout);
}

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---- running

struct Outcome {
  int status = 0;
  std::string out, err;
  bool timed_out = false;
};

void start(const Lines& command, const std::string& out, const std::string& err) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  setpgid(0, 0);
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int in_fd = open("/dev/null", O_RDONLY);
  dup2(in_fd, 0);
  dup2(out_fd, 1);
  dup2(err_fd, 2);
  execv(argv[0], argv.data());
  _exit(127);
}

Outcome run(const Lines& command, const std::string& name) {
  Outcome outcome;
  const std::string out = work_folder + "/" + name + ".out",
                    err = work_folder + "/" + name + ".err";
  const pid_t pid = fork();
  if (pid == 0) start(command, out, err);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms());
  while (waitpid(pid, &outcome.status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      outcome.timed_out = true;
      kill(-pid, SIGKILL);
    }
    usleep(2000);
  }
  kill(-pid, SIGKILL);  // whoever was left behind
  outcome.out = read_file(out);
  outcome.err = read_file(err);
  return outcome;
}

std::string quoted(const Lines& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "'" : " '") + word + "'";
  return text;
}

Lines program(const Lines& words) {
  Lines command = words;
  command[0] = bin_folder + "/" + command[0];
  return command;
}

Lines outside() {
  Lines command = {bin_folder + "/attack_outside"};
  if (options.userns) command.push_back("--userns");
  return command;
}

void append(Lines& to, const Lines& from) { to.insert(to.end(), from.begin(), from.end()); }

// ---- comparing

// Word by word; "*" is any word.
bool pattern_matches(const std::string& wanted, const std::string& got) {
  if (wanted == got) return true;
  const Lines words = conform::words_of(wanted), got_words = conform::words_of(got);
  return std::ranges::equal(words, got_words,
                            [](const auto& a, const auto& b) { return a == "*" || a == b; });
}

// "A || B" is either.
bool line_matches(const std::string& wanted, const std::string& got) {
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = wanted.find(" || ", from);
    if (pattern_matches(wanted.substr(from, at - from), got)) return true;
    if (at == std::string::npos) return false;
    from = at + 4;
  }
}

bool output_matches(const Lines& wanted, const Lines& got) {
  if (got.empty() && wanted.size() == 1) return line_matches(wanted[0], "nothing");
  return std::ranges::equal(wanted, got, line_matches);
}

std::string text_of(const nlohmann::json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "-";
}

// An event as the tables write it.
std::string summary_of(const nlohmann::json& event) {
  if (event.contains("helper")) return "guard helper " + text_of(event, "helper");
  if (event.contains("guard")) return "guard " + text_of(event, "guard");
  const auto rule = event.find("rule");
  std::string text = text_of(event, "hook") + " " + text_of(event, "way") + " " +
                     text_of(event, "type") + " " + text_of(event, "verdict") + " " +
                     text_of(event, "reason") + " " +
                     (rule == event.end() ? "-" : text_of(*rule, "key"));
  if (!event.value("enforced", true)) text += " audit";
  const bool refusal = event.value("verdict", "") == "deny";
  if (refusal && text_of(event, "errno") != "EPERM") text += " errno=" + text_of(event, "errno");
  return text;
}

bool under_daemon() { return options.backend == "service" || options.backend == "container"; }

// A holdfastd tells an event that it has seen within a second a second later.
bool equal_but_for_order(const Lines& wanted, Lines got) {
  for (const std::string& one : wanted) {
    const auto found =
        std::ranges::find_if(got, [&](const auto& line) { return line_matches(one, line); });
    if (found == got.end()) return false;
    got.erase(found);
  }
  return got.empty();
}

// What is wrong with the events, empty if nothing.
Lines compare_events(const Case& c, const Lines& got) {
  Lines wrong;
  if (!c.loose) {
    if (std::ranges::equal(c.events, got, line_matches)) return wrong;
    if (under_daemon() && equal_but_for_order(c.events, got)) return wrong;
    for (const std::string& event : c.events) wrong.push_back("wanted event: " + event);
    for (const std::string& event : got) wrong.push_back("got event:    " + event);
    if (got.empty()) wrong.push_back("got no event");
    return wrong;
  }
  Lines known = c.events;
  std::set<std::string> strays;
  known.insert(known.end(), c.maybe.begin(), c.maybe.end());
  for (const std::string& wanted : c.events)
    if (std::ranges::none_of(got, [&](const auto& event) { return line_matches(wanted, event); }))
      wrong.push_back("missing event: " + wanted);
  for (const std::string& event : got)
    if (std::ranges::none_of(known, [&](const auto& one) { return line_matches(one, event); }))
      strays.insert("stray event: " + event);
  wrong.insert(wrong.end(), strays.begin(), strays.end());
  return wrong;
}

// Decides an event again, from nothing but its own line.
void decide_again(const std::string& line, const holdfast::policy::Compiled& policy, Lines& wrong) {
  const auto event = holdfast::policy::event_from_json(line, policy);
  if (!event) {
    wrong.push_back("event cannot be read back: " + line);
    return;
  }
  hf_verdict verdict;
  hf_decide(policy.tables.get(), &event->request, &verdict);
  if (verdict.action != event->verdict.action || verdict.reason != event->verdict.reason ||
      verdict.rule != event->verdict.rule || verdict.mode != event->verdict.mode)
    wrong.push_back("decided again, the verdict is another one: " + line);
}

// What of a run belongs to one case.
struct Part {
  Lines out{}, err{}, events{};
};

// Events in order; those of conform_batch end the part of a case.
void read_events(const std::string& path, const std::string& policy_path, std::vector<Part>& parts,
                 Lines& wrong) {
  std::size_t at = 0;
  const auto loaded = holdfast::policy::load({{policy_path, read_file(policy_path)}});
  if (!loaded.policy) wrong.push_back("the policy does not load");
  for (const std::string& line : lines_of(read_file(path))) {
    if (line.starts_with(holdfast::policy::kPolicyLine)) continue;
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (event.is_discarded()) {
      wrong.push_back("not JSON: " + line);
    } else if (text_of(event, "comm") == kBatchProgram) {
      at++;
    } else if (at < parts.size()) {
      const auto copies = 1 + event.value("repeats", std::uint64_t{0});
      parts[at].events.insert(parts[at].events.end(), std::min<std::uint64_t>(copies, 1000),
                              summary_of(event));
    }
    if (loaded.policy && !holdfast::policy::is_guard_event(line))
      decide_again(line, *loaded.policy, wrong);
  }
  if (parts.size() > 1 && at != parts.size())
    wrong.push_back("marks between the cases are missing");
}

// "=== N" begins part N; without such lines all is part 0.
void share_out(const std::string& text, std::vector<Part>& parts, Lines Part::*member) {
  std::size_t at = 0;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("=== "))
      at = std::min<std::size_t>(std::stoul(line.substr(4)), parts.size() - 1);
    else
      (parts[at].*member).push_back(line);
  }
}

// ---- a case

std::string file_name(const Case& c) {
  std::string name;
  for (const char ch : c.name) name += std::isalnum(static_cast<unsigned char>(ch)) ? ch : '-';
  return name;
}

void explain(const Outcome& outcome, Lines& wrong) {
  if (outcome.timed_out) wrong.push_back("killed: over its time");
  for (const std::string& line : lines_of(outcome.out)) wrong.push_back("stdout: " + line);
  for (const std::string& line : lines_of(outcome.err)) wrong.push_back("stderr: " + line);
}

constexpr int kBareAttempts = 5;

enum class BareResult { real, impossible, wrong };

// Without holdfast the attack has to work, or else to be one that this kernel does not know.
BareResult run_bare(const Case& c) {
  if (c.bare.empty()) return BareResult::real;
  Lines command = outside();
  if (!c.unshare.empty()) append(command, {"--unshare", c.unshare});
  command.push_back("--");
  append(command, program(c.run));
  // A race may be lost a few times on a busy machine before it is won.
  Outcome outcome = run(command, file_name(c) + ".bare");
  for (int attempt = 1; attempt < kBareAttempts && !c.optional; attempt++) {
    if (output_matches(c.bare, lines_of(outcome.out))) break;
    outcome = run(command, file_name(c) + ".bare");
  }
  const Lines got = lines_of(outcome.out);
  if (output_matches(c.bare, got)) {
    if (options.bare) tap(true, c.name + ", bare", {});
    return BareResult::real;
  }
  if (c.optional && !outcome.timed_out && got.size() == 1) {
    std::printf("ok %d - %s, bare # SKIP attack: %s\n", ++test_number, c.name.c_str(),
                got[0].c_str());
    return BareResult::impossible;
  }
  Lines wrong;
  for (const std::string& line : c.bare) wrong.push_back("wanted without holdfast: " + line);
  explain(outcome, wrong);
  tap(false, c.name + ", bare", wrong);
  return BareResult::wrong;
}

void judge(const Case& c, const Outcome& outcome, const Part& part, const Lines& run_wrong) {
  Lines wrong = run_wrong;
  if (outcome.timed_out || !output_matches(c.says, part.out)) {
    for (const std::string& line : c.says) wrong.push_back("wanted: " + line);
    if (outcome.timed_out) wrong.push_back("killed: over its time");
    for (const std::string& line : part.out) wrong.push_back("stdout: " + line);
    for (const std::string& line : part.err) wrong.push_back("stderr: " + line);
  }
  append(wrong, compare_events(c, part.events));
  Lines remarks = wrong;
  for (const std::string& line : part.err)
    if (wrong.empty() && line.starts_with("# ")) remarks.push_back(line.substr(2));
  if (!wrong.empty()) remarks.insert(remarks.begin(), c.where);
  tap(wrong.empty(), c.name, remarks);
}

// An operation that is reported under this policy, for who starts in these namespaces, in words of
// conform_batch.
std::string reported(const Table& table, const Case& c) {
  const std::string& text = table.policies.at(c.policy);
  const auto says = [&](const char* word) { return text.find(word) != std::string::npos; };
  if (c.alone || says("log = \"none\"")) return "";
  if (says("log = \"all\"") || (says("create = ") && !says("\"time\""))) return "unshare";
  const bool entry = says("enter = \"none\"") || says("enter = \"own\"");
  return entry || (says("enter = \"lock\"") && !c.unshare.empty()) ? "setns" : "";
}

// Cases that share a run.
using Batch = std::vector<const Case*>;

Lines inner_command(const Table& table, const Batch& batch, const std::string& base) {
  if (batch.size() == 1) return program(batch[0]->run);
  std::ofstream list(base + ".list");
  for (const Case* c : batch) {
    for (const std::string& word : program(c->run)) list << word << '\x1f';
    list << '\n';
  }
  return program({std::string(kBatchProgram), reported(table, *batch[0]), base + ".list"});
}

// Beside each policy, for a cgroup that is not there: programs of all kinds stay attached, so that another policy is live
// at once.
constexpr char kOtherPolicy[] = R"(version = 1
[profile.other]
cgroup = "/not-there"
namespaces.track = true
namespaces.enter = "lock"
namespaces.visitors = "lock"
namespaces.create = ["uts"]
[[profile.other.socket]]
on = ["bind", "connect", "listen", "accept", "send"]
label = { "user.holdfast.none" = "1" }
verdict = "deny"
)";

// A holdfastd that is given one policy after the other. Its events go to events().
class Daemon {
 public:
  Daemon() : policy_(work_folder + "/policy"), said_(work_folder + "/holdfastd.said") {
    fs::create_directories(policy_);
    put("version = 1\n");
    std::ofstream(policy_ + "/other.toml") << kOtherPolicy;
    Lines command = {
        options.holdfast + "d", "--no-auto-reload", "--format", "json", "--policy-dir", policy_};
    if (guarded_)
      need_bpf_filesystem();
    else
      command.push_back("--transient");
    pid_ = fork();
    if (pid_ == 0) start(command, events(), said_);
    wait_until("is live", [this] { return read_file(said_).find("is live") != std::string::npos; });
    wait_until("answers", [] { return !metric("holdfast_sessions").empty(); });
  }
  // A holdfastd with a guard stays: only the system's first process may end it.
  ~Daemon() {
    if (guarded_) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Makes the policy live. All events of decisions by earlier ones are in events() then.
  void use(const std::string& policy) {
    put(policy);
    const Outcome reload = run({options.holdfast, "reload"}, "reload");
    if (reload.status != 0)
      throw std::runtime_error("reload: status " + std::to_string(reload.status) + ", " +
                               reload.err + policy);
  }
  // Until all containers have ended.
  void wait_for_containers() {
    wait_until("no session", [] { return metric("holdfast_sessions") == "0"; });
  }
  static std::string events() { return work_folder + "/holdfastd.json"; }

 private:
  // An attack without holdfast may have unmounted it.
  static void need_bpf_filesystem() {
    struct statfs found = {};
    if (statfs("/sys/fs/bpf", &found) == 0 && found.f_type == BPF_FS_MAGIC) return;
    if (mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0)
      throw std::runtime_error("cannot mount /sys/fs/bpf");
  }
  static std::string metric(const std::string& name) {
    for (const std::string& line : lines_of(run({options.holdfast, "metrics"}, "metrics").out))
      if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
    return "";
  }
  void put(const std::string& policy) const { std::ofstream(policy_ + "/conform.toml") << policy; }
  template <typename Condition>
  void wait_until(const char* what, const Condition& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms());
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end || waitpid(pid_, nullptr, WNOHANG) != 0)
        throw std::runtime_error(std::string("holdfastd, until ") + what + ": " + read_file(said_));
      usleep(20'000);
    }
  }

  const bool guarded_ = options.backend == "container";
  std::string policy_, said_;
  pid_t pid_ = -1;
};
std::unique_ptr<Daemon> daemon_here;

Outcome run_in_run(const Batch& batch, Lines command, const Lines& inner, const std::string& base) {
  const Case& first = *batch[0];
  append(command,
         {"--", options.holdfast, "run", "--backend", options.backend, "--policy", base + ".toml",
          "--events", base + ".json", "--format", "json", "--quiet", "--kill-tree"});
  if (!first.unshare.empty()) append(command, {"--unshare", first.unshare});
  command.push_back("--");
  append(command, inner);
  return run(command, file_name(first));
}

constexpr char kCgroup[] = "/sys/fs/cgroup/conform";

// The policy with a line added to its profile, whose name is stored. Other lines keep their numbers
// up to there.
std::string with_line(const std::string& policy, const std::string& line, std::string& profile) {
  std::smatch name;
  if (!std::regex_search(policy, name, std::regex(R"(\[profile\.(\w+))")))
    throw std::runtime_error("no profile: " + policy);
  profile = name[1];
  const std::string head = "[profile." + profile + "]\n";
  const std::size_t at = policy.find(head);
  if (at == std::string::npos) return policy + head + line + "\n";
  return std::string(policy).insert(at + head.size(), line + "\n");
}

// A command for attack_outside --hold: what a runtime does for a container of this profile.
std::string hook_for(const std::string& profile) {
  return "echo "
         "'{\"ociVersion\":\"1.0.2\",\"id\":\"conform\",\"status\":\"created\",\"pid\":'$HF_CMD_"
         "PID'" +
         std::string(",\"bundle\":\"/\",\"annotations\":{\"io.holdfast.profile\":\"") + profile +
         "\"}}' | " + options.holdfast + " oci-hook";
}

// As a service or as a container. The events go to BASE.json.
Outcome run_under_daemon(const Batch& batch, Lines command, const Lines& inner,
                         const std::string& policy, const std::string& profile,
                         const std::string& base) {
  const Case& first = *batch[0];
  if (!daemon_here) daemon_here = std::make_unique<Daemon>();
  daemon_here->use(policy);
  const std::size_t before = fs::file_size(Daemon::events());
  if (options.backend == "service") {
    fs::create_directories(kCgroup);
    if (!first.unshare.empty()) append(command, {"--unshare", first.unshare});
    append(command, {"--cgroup", kCgroup});
  } else {
    // A container has at least one namespace of its own.
    append(command, {"--unshare", first.unshare.empty() ? "ipc" : first.unshare, "--hold",
                     hook_for(profile)});
  }
  command.push_back("--");
  append(command, inner);
  const Outcome outcome = run(command, file_name(first));
  if (options.backend == "container") daemon_here->wait_for_containers();
  daemon_here->use("version = 1\n");
  std::ofstream(base + ".json") << read_file(Daemon::events()).substr(before);
  return outcome;
}

void run_held(const Table& table, const Batch& batch) {
  const Case& first = *batch[0];
  const std::string base = work_folder + "/" + file_name(first);
  std::string text = table.policies.at(first.policy), profile;
  if (under_daemon())
    text = with_line(text,
                     options.backend == "service" ? "cgroup = \"/conform\"" : "annotation = true",
                     profile);
  std::ofstream(base + ".toml") << text;
  Lines command = outside();
  for (const Case* c : batch)
    if (!c->visit.empty()) append(command, {"--visit", quoted(program(c->visit))});
  const Lines inner = inner_command(table, batch, base);
  Outcome outcome;
  if (under_daemon())
    outcome = run_under_daemon(batch, command, inner, text, profile, base);
  else
    outcome = run_in_run(batch, command, inner, base);
  std::vector<Part> parts(batch.size());
  Lines wrong;
  share_out(outcome.out, parts, &Part::out);
  share_out(outcome.err, parts, &Part::err);
  read_events(base + ".json", base + ".toml", parts, wrong);
  for (std::size_t i = 0; i < batch.size(); i++) judge(*batch[i], outcome, parts[i], wrong);
}

// Before Linux 6.12 (ABI 6) Landlock does not keep signals inside.
bool has_landlock_scopes() {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6;
}

bool is_wanted(const Case& c) {
  const auto is_here = [](const std::string& word) {
    if (word == "run") return !under_daemon();
    return word == options.backend || (word == "bpf" && options.backend != "supervisor");
  };
  if (!c.only.empty() && std::ranges::none_of(c.only, is_here) && !options.bare) return false;
  if (c.needs == "root" && options.userns) return false;
  if (c.needs == "userns" && !options.userns) return false;
  if (c.needs == "scopes" && !has_landlock_scopes()) return false;
  return std::regex_search(c.name, std::regex(options.only));
}

void run_table(const Table& table) {
  std::map<std::string, Batch> batches;
  std::vector<std::string> order;
  for (const Case& c : table.cases) {
    if (!is_wanted(c) || run_bare(c) != BareResult::real || options.bare) continue;
    const std::string how = reported(table, c);
    const std::string key = how.empty() ? c.where + c.name : c.policy + " " + c.unshare + " " + how;
    if (!batches.contains(key)) order.push_back(key);
    batches[key].push_back(&c);
  }
  for (const std::string& key : order) run_held(table, batches[key]);
}

// ---- arguments

bool parse(int argc, char** argv) {
  const std::map<std::string, std::string*> values = {{"--holdfast", &options.holdfast},
                                                      {"--backend", &options.backend},
                                                      {"--only", &options.only}};
  const std::map<std::string, bool*> flags = {
      {"--userns", &options.userns}, {"--bare", &options.bare}, {"--keep", &options.keep}};
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    if (flags.contains(word))
      *flags.at(word) = true;
    else if (values.contains(word) && i + 1 < argc)
      *values.at(word) = argv[++i];
    else if (word.starts_with("-"))
      return false;
    else
      options.tables.push_back(word);
  }
  return !options.tables.empty() &&
         (options.bare || (!options.holdfast.empty() && !options.backend.empty()));
}

}  // namespace

int main(int argc, char** argv) {
  if (!parse(argc, argv)) {
    std::fprintf(
        stderr,
        "usage: conform --holdfast PATH --backend NAME [--only REGEX] [--userns] TABLE...\n"
        "       conform --bare [--only REGEX] [--userns] TABLE...\n");
    return 2;
  }
  char folder[] = "/tmp/conform.XXXXXX";
  bin_folder = fs::read_symlink("/proc/self/exe").parent_path();
  work_folder = mkdtemp(folder);
  try {
    for (const std::string& path : options.tables) run_table(conform::read_table(path));
  } catch (const std::exception& error) {
    std::printf("Bail out! %s\n", error.what());
  }
  daemon_here.reset();
  std::printf("1..%d\n", test_number);
  if (!options.keep)
    fs::remove_all(work_folder);
  else
    std::printf("# kept: %s\n", work_folder.c_str());
  return 0;
}
