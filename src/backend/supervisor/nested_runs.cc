// SPDX-License-Identifier: Apache-2.0
//
// Problem. `holdfast run` inside a run cannot install a listener: the kernel has one for a chain of
// filters, and the outer run's filter is in the chain of each task. So the outer run decides for
// both. It has to know, for each call, which nested runs hold the caller.
//
// Idea. The caller's own kernel state says so, as with namespaces. It has to be inherited by all
// descendants, be readable for a blocked thread, and no task of the tree may change it. RLIMIT_LOCKS
// is such a state: the kernel has ignored its value since Linux 2.4.25, fork copies it, and exec
// keeps it. Each nested run has a value of its own. It is set while the first process of the nested
// run waits in its call, before it executes the command. The filter notifies all calls that set this
// limit, and holdfast answers them without making them. A value that belongs to no nested run is
// unknown, and the call is refused.
//
// The values fall from one nested run to the next, because a task without privilege can only lower
// the limit.
//
// A nested run only adds refusals: each level decides, and a refusal of any is the result. So it
// needs no trust. Its request is read once, by a job, since memory of the tree may stall. A task can
// join the nested run with a key only if it is where the run was opened, so it never loses a level.
#include "backend/supervisor/nested_runs.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backend/decided.h"
#include "kernel/process/child.h"
#include "kernel/process/process.h"
#include "kernel/random.h"
#include "kernel/sockets/passed_descriptors.h"

namespace holdfast::backend::supervisor {
namespace {

constexpr std::size_t kMaxRuns = 64;
constexpr unsigned kMaxDepth = 16;
constexpr std::uint64_t kHighestLimit = std::uint64_t{1} << 62;

std::string_view bytes_of(const NestedRunPacket& packet) {
  return {reinterpret_cast<const char*>(&packet), sizeof(packet)};
}

// The tables of one profile, with its rules about namespaces.
std::unique_ptr<const hf_tables> tables_of(const NestedRunRequest& request) {
  auto tables = std::make_unique<hf_tables>();
  tables->magic = HF_TABLES_MAGIC;
  tables->version = HF_ABI_VERSION;
  tables->length = sizeof(hf_tables);
  tables->profile_count = kNestedProfile + 1;
  tables->generation = request.generation;
  tables->profiles[HF_NO_PROFILE].ns_create = HF_NS_ALL;
  hf_profile& profile = tables->profiles[kNestedProfile];
  profile.mode = request.profile.mode;
  profile.log = request.profile.log;
  profile.ns_enter = request.profile.ns_enter;
  profile.ns_track = request.profile.ns_track;
  profile.ns_create = request.profile.ns_create;
  std::ranges::copy(request.profile.rules, profile.rules);
  return tables;
}

}  // namespace

struct NestedRuns::Nested {
  Nested(const NestedRunRequest& request, Nested* outer, Fd end, const NestedRuns& all,
         std::uint64_t own_limit)
      : tables(tables_of(request)),
        parent(outer),
        depth(outer ? outer->depth + 1 : 1),
        limit(own_limit),
        unshare_types(request.unshare_types & HF_NS_ALL),
        channel(std::move(end)),
        tree(all.tree_,
             [this, &all](const kernel::TaskDirectory& task) { return all.is_in(task, *this); }),
        level(*tables, kNestedProfile, all.proc_, tree, all.shared_,
              request.profile.ns_track != 0 || unshare_types != 0 ? Sandbox::Tracking::on
                                                                  : Sandbox::Tracking::off,
              totals,
              [this](const calls::DecisionRecord& asked, const hf_verdict& verdict,
                     const hf_task& actor) { report(asked, verdict, actor); }) {}

  void report(const calls::DecisionRecord& asked, const hf_verdict& verdict, const hf_task& actor) {
    NestedRunPacket packet{.kind = NestedRunPacket::Kind::event};
    packet.event =
        decided(asked.request, verdict, actor, tables->generation, kernel::boottime_ns());
    packet.event.id = next_event++;
    packet.event.target = asked.target;
    packet.event.object = asked.object;
    const auto sent = kernel::try_send_packet(channel.get(), bytes_of(packet));
    if (!sent || !*sent) totals.lost++;
  }

  std::unique_ptr<const hf_tables> tables;
  Nested* parent;
  unsigned depth;
  std::uint64_t limit;
  std::uint64_t key = 0;
  std::uint32_t unshare_types;
  bool joined = false;
  Fd channel;
  Totals totals;
  std::uint64_t next_event = 1;
  ProcessTree tree;
  Level level;
};

NestedRuns::NestedRuns(const kernel::Proc& proc, const ProcessTree& tree,
                       const calls::SharedTables& shared, calls::Jobs& jobs,
                       kernel::Listener& listener, bool traces_seen)
    : proc_(proc),
      tree_(tree),
      shared_(shared),
      jobs_(jobs),
      listener_(listener),
      traces_seen_(traces_seen) {
  const auto self = proc.task(kernel::own_pid());
  const auto limit = self ? self->file_lock_limit() : Result<std::uint64_t>(self.error());
  if (!limit) return;
  own_limit_ = *limit;
  next_limit_ = own_limit_ == 0 ? 0 : std::min(own_limit_ - 1, kHighestLimit);
}

NestedRuns::~NestedRuns() = default;

NestedRuns::Place NestedRuns::place_of(const kernel::TaskDirectory& task) const {
  if (runs_.empty() && !had_runs_) return {true, nullptr};
  const auto limit = task.file_lock_limit();
  if (!limit) return {};
  if (*limit == own_limit_) return {true, nullptr};
  const auto found =
      std::ranges::find_if(runs_, [&](const auto& run) { return run->limit == *limit; });
  return found == runs_.end() ? Place{} : Place{true, found->get()};
}

bool NestedRuns::is_in(const kernel::TaskDirectory& task, const Nested& wanted) const {
  for (const Nested* run = place_of(task).run; run; run = run->parent)
    if (run == &wanted) return true;
  return false;
}

std::optional<std::vector<Level*>> NestedRuns::levels_of(
    const Result<kernel::TaskDirectory>& task) const {
  std::vector<Level*> levels;
  if (!had_runs_) return levels;
  const Place place = task ? place_of(*task) : Place{};
  if (!place.known) return std::nullopt;
  for (Nested* run = place.run; run; run = run->parent) levels.push_back(&run->level);
  std::ranges::reverse(levels);
  return levels;
}

NestedRuns::Nested* NestedRuns::find(std::uint64_t key) {
  for (const auto& run : runs_)
    if (run->key == key) return run.get();
  return nullptr;
}

calls::Answer NestedRuns::handle(const seccomp_notif& call, const kernel::TaskDirectory& task) {
  using calls::Answer;
  using kernel::NestedRunCommand;
  switch (static_cast<NestedRunCommand>(static_cast<std::uint32_t>(call.data.args[1]))) {
    case NestedRunCommand::probe:
      return Answer::returns(0);
    case NestedRunCommand::open:
      return open(call, task);
    case NestedRunCommand::join:
      return join(call, task);
    case NestedRunCommand::totals:
      return send_totals(call.data.args[2]);
  }
  return Answer::error(EINVAL);
}

calls::Answer NestedRuns::open(const seccomp_notif& call, const kernel::TaskDirectory& task) {
  using calls::Answer;
  auto memory = task.memory();
  auto directory = task.duplicate();
  if (!listener_.waiting(call.id)) return Answer::caller_gone();
  if (!memory || !directory) return Answer::error(EPERM);
  struct Reading {
    kernel::TaskMemory memory;
    std::uint64_t address;
    NestedRunRequest request;
  };
  auto reading = std::make_shared<Reading>(Reading{std::move(*memory), call.data.args[2], {}});
  calls::Job job{
      .work =
          [reading] {
            const auto raw = reading->memory.read(reading->address, sizeof(NestedRunRequest));
            if (!raw) return Answer::error(EFAULT);
            std::memcpy(&reading->request, raw->data(), sizeof(NestedRunRequest));
            return Answer::deferred();
          },
      .finish =
          [this, reading, id = call.id](const kernel::TaskDirectory& caller) {
            return listener_.waiting(id) ? add(reading->request, caller) : Answer::caller_gone();
          }};
  auto started = jobs_.start(call, std::move(*directory), listener_, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}

// The caller still waits. It may not change its own place, so the place is known from here on.
calls::Answer NestedRuns::add(const NestedRunRequest& request, const kernel::TaskDirectory& task) {
  using calls::Answer;
  if (request.version != HF_ABI_VERSION) return Answer::error(EINVAL);
  if (!traces_seen_ && !request.landlock) return Answer::error(ENOTSUP);
  const Place place = place_of(task);
  if (!place.known) return Answer::error(EPERM);
  if (place.run && place.run->depth >= kMaxDepth) return Answer::error(EUSERS);
  if (runs_.size() >= kMaxRuns) forget_ended();
  if (runs_.size() >= kMaxRuns || next_limit_ == 0) return Answer::error(ENOSPC);
  auto ends = kernel::make_channel();
  if (!ends) return Answer::error(ends.error().code);
  kernel::shutdown_reading((*ends)[0].get());  // nothing that the tree sends is kept
  auto run =
      std::make_unique<Nested>(request, place.run, std::move((*ends)[0]), *this, next_limit_);
  if (const auto filled = kernel::fill_random(&run->key, sizeof(run->key)); !filled)
    return Answer::error(filled.error().code);
  run->key |= 1;  // 0 means "none"
  const NestedRunPacket packet{.kind = NestedRunPacket::Kind::opened, .key = run->key};
  const auto sent = kernel::try_send_packet(run->channel.get(), bytes_of(packet));
  if (!sent || !*sent) return Answer::error(EIO);
  next_limit_--;
  had_runs_ = true;
  runs_.push_back(std::move(run));
  return Answer::descriptor(std::move((*ends)[1]), O_CLOEXEC);
}

calls::Answer NestedRuns::join(const seccomp_notif& call, const kernel::TaskDirectory& task) {
  using calls::Answer;
  Nested* run = find(call.data.args[2]);
  const auto status = task.status();
  const Place place = place_of(task);
  if (!run || !status || !place.known || place.run != run->parent) return Answer::error(EPERM);
  Child child;
  child.namespace_fd.fill(-1);
  std::array<Fd, HF_NS_COUNT> namespaces;
  for (unsigned type = 0; type < HF_NS_COUNT && !run->joined; type++) {
    if (!(run->unshare_types & (1u << type))) continue;
    auto fd = task.open_namespace(type);
    if (!fd) return Answer::error(EPERM);
    namespaces[type] = std::move(*fd);
    child.namespace_fd[type] = namespaces[type].get();
  }
  // By number: if the caller has died, this may hit a task of the same user, for which the limit
  // means nothing.
  if (!listener_.waiting(call.id)) return Answer::caller_gone();
  if (!kernel::set_file_lock_limit(status->process, run->limit)) return Answer::error(EPERM);
  const auto limit = task.file_lock_limit();
  if (!listener_.waiting(call.id)) return Answer::caller_gone();
  if (!limit || *limit != run->limit) return Answer::error(EPERM);
  if (!run->level.sandbox().start_with(child)) return Answer::error(EPERM);
  run->joined = true;
  return Answer::error(kernel::kSelfTestError);
}

calls::Answer NestedRuns::send_totals(std::uint64_t key) {
  using calls::Answer;
  const Nested* run = find(key);
  if (!run) return Answer::error(EPERM);
  const NestedRunPacket packet{
      .kind = NestedRunPacket::Kind::totals, .totals = run->totals, .lost = run->totals.lost};
  const auto sent = kernel::try_send_packet(run->channel.get(), bytes_of(packet));
  if (!sent) return Answer::error(sent.error().code);
  return *sent ? Answer::returns(0) : Answer::error(EAGAIN);
}

// A task that this does not find has a limit that is unknown from here on, so its calls are refused.
void NestedRuns::forget_ended() {
  for (auto at = runs_.end(); at != runs_.begin();) {
    --at;
    const Nested& run = **at;
    const bool outer =
        std::ranges::any_of(runs_, [&](const auto& other) { return other->parent == &run; });
    if (outer || !kernel::has_hung_up(run.channel.get())) continue;
    const bool inhabited = tree_.any([&](const kernel::TaskDirectory& task) {
      const auto limit = task.file_lock_limit();
      return !limit || *limit == run.limit;
    });
    if (!inhabited) at = runs_.erase(at);
  }
}

}  // namespace holdfast::backend::supervisor
