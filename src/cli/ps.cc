// SPDX-License-Identifier: Apache-2.0
// `holdfast ps`: lists the processes that are under a policy. For holdfastd these are the processes
// in bound cgroups. For each `holdfast run` it is the process tree, with the namespaces of the
// sandbox that each process is in.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "base/printable.h"
#include "cli/commands.h"
#include "events/event_text.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"
#include "run/announcement.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;
using run::Announcement;

constexpr std::string_view kCommandName = "holdfast";

struct Process {
  pid_t parent = 0;
  unsigned filters = 0;  // the number of its seccomp filters
  std::string comm;
  // Empty: this user may not read them.
  std::optional<kernel::TaskNamespaces> namespaces;
};
using Processes = std::map<pid_t, Process>;

Processes all_processes(const kernel::Proc& proc) {
  Processes all;
  for (const pid_t pid : proc.processes()) {
    const auto task = proc.task(pid);
    if (!task) continue;
    const auto status = task->status();
    auto comm = task->command_name();
    if (!status || !comm) continue;
    const auto namespaces = task->namespaces();
    all[pid] = {status->parent, status->filters, *std::move(comm),
                namespaces ? std::optional(*namespaces) : std::nullopt};
  }
  return all;
}

using Namespace = std::pair<unsigned, kernel::NamespaceInode>;  // type, by bit number

// A process of a run's tree, or a visitor of the run's namespaces.
struct Member {
  pid_t pid;
  int depth;  // in the tree; 0: the command itself, or a visitor
  bool visitor;
  std::vector<Namespace> inside;  // the namespaces of the sandbox that it is in
};

class Tree {
 public:
  Tree(const Processes& processes, const Announcement& run) : processes_(processes), run_(run) {
    for (const auto& [pid, process] : processes) children_[process.parent].push_back(pid);
    add_below(run.pid, 0);
    mark_namespaces();
    add_visitors();
  }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }

 private:
  void add_below(pid_t parent, int depth) {
    const auto children = children_.find(parent);
    if (children == children_.end()) return;
    for (const pid_t pid : children->second) {
      if (!held_.insert(pid).second || is_connect_helper(pid)) continue;
      members_.push_back({pid, depth, false, {}});
      add_below(pid, depth + 1);
    }
  }

  // The command and its descendants have at least one more filter than the `holdfast run` process.
  // The connect helper has not.
  [[nodiscard]] bool is_connect_helper(pid_t pid) const {
    const Process& process = processes_.at(pid);
    const auto run = processes_.find(run_.pid);
    return run_.backend == "supervisor" && process.parent == run_.pid && run != processes_.end() &&
           process.filters <= run->second.filters;
  }

  // The namespaces outside of the sandbox: those of the `holdfast run` process, or those of its
  // parent if the former cannot be read. Null: neither can be read.
  [[nodiscard]] const kernel::TaskNamespaces* outside() const {
    const auto run = processes_.find(run_.pid);
    if (run == processes_.end()) return nullptr;
    if (run->second.namespaces) return &*run->second.namespaces;
    const auto parent = processes_.find(run->second.parent);
    if (parent == processes_.end() || !parent->second.namespaces) return nullptr;
    return &*parent->second.namespaces;
  }

  void mark_namespaces() {
    const kernel::TaskNamespaces* before = outside();
    if (before == nullptr) return;
    for (Member& member : members_) {
      const auto& now = processes_.at(member.pid).namespaces;
      for (unsigned type = 0; now && type < kernel::kNamespaceTypeCount; type++) {
        if (now->link[type] == before->link[type]) continue;
        member.inside.emplace_back(type, now->link[type]);
        sandbox_.emplace(type, now->link[type]);
      }
    }
  }

  void add_visitors() {
    for (const auto& [pid, process] : processes_) {
      if (held_.contains(pid) || pid == run_.pid || !process.namespaces) continue;
      Member visitor{pid, 0, true, {}};
      for (unsigned type = 0; type < kernel::kNamespaceTypeCount; type++)
        if (sandbox_.contains({type, process.namespaces->link[type]}))
          visitor.inside.emplace_back(type, process.namespaces->link[type]);
      if (!visitor.inside.empty()) members_.push_back(std::move(visitor));
    }
  }

  const Processes& processes_;
  const Announcement& run_;
  std::map<pid_t, std::vector<pid_t>> children_;
  std::set<pid_t> held_;
  std::set<Namespace> sandbox_;
  std::vector<Member> members_;
};

std::string inside_text(const Member& member, const Announcement& run) {
  if (member.inside.empty()) return {};
  std::string text = member.visitor ? "visits" : run.enter == "lock" ? "locked in" : "in";
  for (const auto& [type, inode] : member.inside)
    text += fmt::format(" {}", kernel::kNamespaceTypes[type].name);
  return text;
}

constexpr std::size_t kPlaceColumn = 40;

// Is the pid of the announcement that of a `holdfast` process in this pid namespace?
bool is_seen(const Announcement& run, const Processes& processes) {
  const auto found = processes.find(run.pid);
  return found != processes.end() && found->second.comm == kCommandName;
}

void print_run(const Announcement& run, const Processes& processes) {
  const bool seen = is_seen(run, processes);
  fmt::print("run {}{}: {}, {}\n", run.pid, seen ? "" : " (of another pid namespace)",
             run.profile.empty() ? "no profile" : escape(run.profile), escape(run.backend));
  if (!seen) return;
  const Tree tree(processes, run);
  for (const Member& member : tree.members()) {
    const std::string line = fmt::format("{:{}}{}  {}", "", 2 + 2 * std::min(member.depth, 16),
                                         member.pid, escape(processes.at(member.pid).comm));
    const std::string inside = inside_text(member, run);
    if (inside.empty())
      fmt::print("{}\n", line);
    else
      fmt::print("{:<{}}  {}\n", line, kPlaceColumn, inside);
  }
}

Json run_json(const Announcement& run, const Processes& processes) {
  Json tasks = Json::array();
  const Tree tree(processes, run);
  for (const Member& member : is_seen(run, processes) ? tree.members() : std::vector<Member>()) {
    Json namespaces = Json::object();
    for (const auto& [type, inode] : member.inside)
      namespaces[std::string(kernel::kNamespaceTypes[type].name)] = inode;
    const Process& process = processes.at(member.pid);
    tasks.push_back({{"pid", member.pid},
                     {"parent", process.parent},
                     {"comm", process.comm},
                     {"visitor", member.visitor},
                     {"namespaces", std::move(namespaces)}});
  }
  return {{"pid", run.pid},
          {"profile", run.profile},
          {"backend", run.backend},
          {"enter", run.enter},
          {"tasks", std::move(tasks)}};
}

// The tasks that holdfastd reports. Empty: it cannot be reached or reports an error, which was
// printed.
std::optional<json> machine_tasks(const ControlOptions& options) {
  auto client = rpc::Client::connect(options.socket);
  if (!client) {
    fmt::print(stderr, "holdfast: holdfastd does not run: only runs are shown\n");
    return std::nullopt;
  }
  const auto reply = client->call(fmt::format("{}.Tasks", rpc::kControlInterface), json::object());
  if (reply && reply->error.empty()) return reply->parameters.value("tasks", json::array());
  fmt::print(stderr, "holdfast: holdfastd did not list its tasks: {}\n",
             reply ? reply->error : reply.error().message());
  return std::nullopt;
}

// Prints each profile, its cgroups, and their processes.
void print_machine(const json& tasks) {
  std::map<std::string, std::map<std::string, std::vector<std::string>>> tree;
  for (const json& task : tasks)
    tree[task.value("profile", "?")][task.value("cgroup", "?")].push_back(
        fmt::format("{}  {}", task.value("pid", 0), escape(task.value("comm", ""))));
  for (const auto& [profile, cgroups] : tree) {
    fmt::print("{}\n", profile);
    for (const auto& [cgroup, processes] : cgroups) {
      fmt::print("  {}\n", escape(cgroup));
      for (const std::string& process : processes) fmt::print("    {}\n", process);
    }
  }
}

}  // namespace

int ps(const ControlOptions& options) {
  const auto tasks = machine_tasks(options);
  const auto runs = run::announced_runs();
  const auto proc = kernel::Proc::open();
  if (!runs || !proc) {
    fmt::print(stderr, "holdfast: {}\n", (runs ? proc.error() : runs.error()).message());
    return kExitFailed;
  }
  const Processes processes = all_processes(*proc);
  if (options.format != "json") {
    if (tasks) print_machine(*tasks);
    for (const Announcement& run : *runs) print_run(run, processes);
    return kExitOk;
  }
  Json list = Json::array();
  for (const Announcement& run : *runs) list.push_back(run_json(run, processes));
  const Json all = {{"tasks", tasks ? Json(*tasks) : Json::array()}, {"runs", std::move(list)}};
  fmt::print("{}\n", all.dump(-1, ' ', false, Json::error_handler_t::replace));
  return kExitOk;
}

}  // namespace holdfast::cli
