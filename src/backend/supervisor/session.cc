// SPDX-License-Identifier: Apache-2.0
//
// Each notified call takes four steps: gather facts about the blocked thread, check that its call
// still waits, decide, answer. The check has to come after the facts: the thread may have died, and
// its pid may name another thread since.
//
// For namespaces and tracing the answer is an errno or CONTINUE. The kernel then reads registers
// and the thread's own state, which no other task can change while the thread is blocked. Calls
// about sockets, attributes and cgroup files also depend on memory and descriptors. Their handlers
// perform such a call themselves where another task could change those.
//
// If a fact cannot be read, the request has HF_REQ_FACTS_MISSING. An enforcing profile then
// refuses, and the decision counts as an error.
#include "backend/supervisor/session.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "backend/calls/caller.h"
#include "backend/decided.h"
#include "backend/supervisor/filter.h"
#include "core/decide.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/timer.h"
#include "kernel/wakeup.h"

namespace holdfast::backend::supervisor {
namespace {

// In another mount namespace a cgroup hierarchy may be mounted below a directory where the Landlock
// ruleset allows writes.
bool could_change_mounts(const PendingDecision& decision) {
  const hf_request& request = decision.request;
  return request.op == HF_OP_NAMESPACE_INSTALL &&
         (request.ns_types == 0 || (request.ns_types & HF_NS_MNT));
}

// dispatch() returns after this many calls, so that signals and the child's end are handled too.
constexpr int kCallsPerDispatch = 64;
constexpr int kCreationLooks = 20;
constexpr unsigned kCreationLookUs = 100;

// Landlock does not apply to files that are open already. So no inherited descriptor may reach a
// cgroup file for writing.
Result<kernel::CgroupMounts> mounts_to_protect() {
  HF_TRY_ASSIGN(const auto open, kernel::writable_cgroup_files());
  if (!open.empty())
    return Error{EBUSY, "protect cgroup files from the command", open.front(),
                 "this descriptor is open for writing and the command would inherit it: close it"};
  HF_TRY_ASSIGN(const auto beyond, kernel::files_beyond_mounts());
  if (!beyond.empty())
    return Error{EBUSY, "protect cgroup files from the command", beyond.front(),
                 "this lies in no mount of this mount namespace, so cgroups may be reachable "
                 "through it, and the command would inherit it: close it"};
  return kernel::CgroupMounts::read();
}

// As decisions_of_creation() reads the flags of clone(2).
bool makes_namespace(const seccomp_notif& clone) {
  return kernel::types_from_clone_flags(clone.data.args[0] & 0xffffff00u) != 0;
}

// A call that nothing but rules about namespaces is about.
bool is_namespace_call(const seccomp_data& data) {
  switch (data.nr) {
    case SYS_clone:
      return !shares_table(data);
    case SYS_setns:
    case SYS_unshare:
    case SYS_fsmount:
    case SYS_open_tree:
    case kOpenTreeAttrNumber:
      return true;
    default:
      return false;
  }
}

// As the kernel checks the flags of a filter that has a listener. WAIT_KILLABLE_RECV is the newest.
bool known_filter_flags(std::uint64_t given) {
  const auto flags = static_cast<std::uint32_t>(given);
  constexpr std::uint32_t kKnown =
      SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
      SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  const bool needs_esrch =
      (flags & SECCOMP_FILTER_FLAG_TSYNC) && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
  return (flags & ~kKnown) == 0 && !needs_esrch;
}

bool is_scheduling_call(int number) {
  switch (number) {
    case SYS_sched_setaffinity:
    case SYS_sched_setscheduler:
    case SYS_sched_setparam:
    case SYS_sched_setattr:
    case SYS_setpriority:
    case SYS_ioprio_set:
      return true;
    default:
      return false;
  }
}

// Empty: the call changes all tasks of a group or of a user.
std::optional<pid_t> task_that_is_changed(const seccomp_data& data) {
  constexpr std::uint32_t kIoprioProcess = 1;  // IOPRIO_WHO_PROCESS
  const auto which = static_cast<std::uint32_t>(data.args[0]);
  const auto who = static_cast<pid_t>(data.args[1]);
  if (data.nr == SYS_setpriority) return which == PRIO_PROCESS ? std::optional(who) : std::nullopt;
  if (data.nr == SYS_ioprio_set) return which == kIoprioProcess ? std::optional(who) : std::nullopt;
  return static_cast<pid_t>(data.args[0]);
}

// The limit that nested_runs.cc uses. The kernel ignores it.
bool sets_file_lock_limit(const seccomp_data& data) {
  return data.nr == SYS_setrlimit ||
         (data.nr == SYS_prlimit64 && static_cast<std::uint32_t>(data.args[1]) == RLIMIT_LOCKS);
}
// Programs that set all limits, as logins do, are told that it was set. Who also wants to know the
// old one gets what a limit that cannot be changed gets.
Answer answer_limit(const seccomp_notif& call) {
  if (call.data.nr == SYS_setrlimit) return Answer::returns(0);
  if (call.data.args[2] == 0) return Answer::continue_syscall();
  return call.data.args[3] == 0 ? Answer::returns(0) : Answer::error(EPERM);
}

}  // namespace

SupervisorSession::SupervisorSession(const SessionSpec& spec, kernel::SeccompFilter filter,
                                     Facilities facilities, Fd landlock,
                                     SocketAttributes attributes,
                                     std::optional<kernel::CgroupMounts> cgroup_mounts,
                                     std::shared_ptr<kernel::AnsweredFiles> answered_files)
    : spec_(spec),
      filter_(std::move(filter)),
      take_listener_(std::move(facilities.take_listener)),
      proc_(std::move(facilities.proc)),
      landlock_(std::move(landlock)),
      tree_(proc_),
      known_(proc_),
      shared_tables_(proc_),
      attributes_(attributes),
      cgroup_mounts_(std::move(cgroup_mounts)),
      answered_files_(std::move(answered_files)) {}

Result<std::unique_ptr<SupervisorSession>> SupervisorSession::create(const SessionSpec& spec) {
  HF_TRY_ASSIGN(auto proc, kernel::Proc::open());
  return create(spec, Facilities{std::move(proc), calls::take_listener});
}

Result<std::unique_ptr<SupervisorSession>> SupervisorSession::create(const SessionSpec& spec,
                                                                     Facilities facilities) {
  const hf_profile& profile = spec.tables->profiles[spec.profile];
  Fd landlock;
  std::optional<kernel::CgroupMounts> cgroup_mounts;
  if (const auto abi = kernel::landlock_abi()) {
    if (protects_cgroups(profile)) {
      HF_TRY_ASSIGN(cgroup_mounts, mounts_to_protect());
    }
    HF_TRY_ASSIGN(landlock, cgroup_mounts ? kernel::make_cgroup_readonly_ruleset(
                                                *abi, cgroup_mounts->points())
                                          : kernel::make_scope_ruleset(*abi));
  }
  std::shared_ptr<kernel::AnsweredFiles> answered;
  if (cgroup_mounts)
    if (auto made = kernel::AnsweredFiles::create()) answered = std::move(*made);
  const SocketAttributes attributes = socket_attributes();
  Wanted wanted{attribute_calls_to_see(*spec.tables, profile, attributes),
                socket_operations(*spec.tables, spec.profile).ruled, cgroup_mounts.has_value(),
                !answered};
  if (profile.label_inherit) wanted.socket_operations |= HF_SOCK_ACCEPT;
  wanted.confinement = landlock && connect_helper::needs_connect_helper(*spec.tables, profile);
  return std::unique_ptr<SupervisorSession>(new SupervisorSession(
      spec, make_filter(*spec.tables, spec.profile, wanted), std::move(facilities),
      std::move(landlock), attributes, std::move(cgroup_mounts), std::move(answered)));
}

Result<ChildPlan> SupervisorSession::before_fork() {
  return ChildPlan{.filter = filter_.finish(),
                   .landlock_fd = landlock_.get(),
                   .no_new_privs = !kernel::has_sys_admin()};
}

Result<void> SupervisorSession::adopt(const Child& child) {
  HF_TRY_ASSIGN(listener_, take_listener_(child));
  shared_tables_.use(known_);

  HF_TRY(open_handlers(child));
  if (const auto self = proc_.task(kernel::own_pid()))
    if (const auto namespaces = self->namespaces())
      own_user_namespace_ = namespaces->link[kernel::kUserNamespace];

  // Not earlier: fork inherits this, and the id maps of an undumpable child could not be written.
  HF_TRY(kernel::make_undumpable());
  HF_TRY(kernel::become_subreaper());
  kernel::raise_descriptor_limit();

  const bool tracking = profile().ns_track != 0 || spec_.unshare_types != 0;
  level_.emplace(*spec_.tables, spec_.profile, proc_, tree_, shared_tables_,
                 tracking ? Sandbox::Tracking::on : Sandbox::Tracking::off, totals_,
                 [this](const DecisionRecord& asked, const hf_verdict& verdict,
                        const hf_task& actor) { report(asked, verdict, actor); });
  HF_TRY(level_->sandbox().start_with(child));
  nested_.emplace(proc_, tree_, shared_tables_, *jobs_, *listener_, confines(profile()));
  if (cgroup_mounts_) {
    if (answered_files_) {
      HF_TRY(answered_files_->start());
      HF_TRY(kernel::watch_readable(others_.get(), answered_files_->poll_fd()));
    }
    HF_TRY_ASSIGN(auto handler, wrap(CgroupFileHandler::create(spec_, *cgroup_mounts_, proc_,
                                                               answered_files_.get()),
                                     "protect cgroups"));
    cgroups_.emplace(std::move(handler));
    level_->require_facts();
  }
  auto proved = calls::answer_self_test(*listener_, child.pid);
  if (proved) tree_.remember_first(child.pid);
  return proved;
}

Result<void> SupervisorSession::open_handlers(const Child& child) {
  HF_TRY_ASSIGN(auto labels, wrap(SocketLabels::create(proc_, attributes_), "keep socket labels"));
  labels_.emplace(std::move(labels));
  HF_TRY_ASSIGN(auto peers, wrap(operations_by_peer(*spec_.tables, profile()) == 0
                                     ? DiagPeers::empty(proc_, spec_.labels, *labels_)
                                     : DiagPeers::create(child, proc_, spec_.labels, *labels_),
                                 "ask for the peers of sockets"));
  peers_.emplace(std::move(peers));
  HF_TRY_ASSIGN(auto jobs, wrap(Jobs::create(), "make calls for the tree"));
  jobs_.emplace(std::move(jobs));
  HF_TRY_ASSIGN(others_, kernel::make_watch_set());
  HF_TRY(kernel::watch_readable(others_.get(), labels_->timer_fd()));
  for (const int fd : jobs_->poll_fds()) HF_TRY(kernel::watch_readable(others_.get(), fd));
  reader_.emplace(spec_.labels, *labels_);
  possible_labels_.emplace(spec_.labels, attributes_);
  labels_->observe([this](std::string_view name, std::string_view value) {
    possible_labels_->note(name, value);
  });
  sockets_.emplace(*spec_.tables, spec_.profile, *reader_, *possible_labels_, *peers_, *jobs_,
                   *listener_, child.channel_cookie);
  const JudgeSocket judged = [this](const seccomp_notif& call, const kernel::TaskDirectory& task,
                                    hf_request request, std::uint64_t cookie, unsigned tokens) {
    return judge(call, task, {.request = request, .target = cookie}, tokens);
  };
  accepts_.emplace(AcceptContext{*spec_.tables, spec_.profile, spec_.labels, *labels_, *peers_,
                                 *jobs_, *listener_, judged, shared_tables_, child.channel_cookie});
  start_connect_helper(child, judged);
  return {};
}

// Without Landlock the tree could take over the connect helper, so there is none. Connects that
// need the helper are then refused.
void SupervisorSession::start_connect_helper(const Child& child, const JudgeSocket& judged) {
  if (!landlock_ || !connect_helper::needs_connect_helper(*spec_.tables, profile())) return;
  auto helper = connect_helper::ConnectHelper::start(child, proc_);
  if (!helper) {
    if (spec_.notice)
      spec_.notice("there is no connect helper, so calls about sockets that need it are refused: " +
                   helper.error().message());
    return;
  }
  connects_.emplace(connect_helper::UnixConnectContext{*reader_, *peers_, *jobs_, *listener_, proc_,
                                                       judged, spec_.notice},
                    std::move(*helper));
  sockets_->use(*connects_);
}

std::vector<int> SupervisorSession::poll_fds() const { return {listener_->fd(), others_.get()}; }

// A listener hangs up when the last task with its filter has ended.
bool SupervisorSession::may_have_members() const {
  const auto ready = kernel::poll_readable({listener_->fd()}, 0);
  return !ready || !(ready->front() & POLLHUP);
}

Result<void> SupervisorSession::dispatch() {
  look_at_others();
  for (int handled = 0; handled < kCallsPerDispatch; handled++) {
    HF_TRY_ASSIGN(auto ready, kernel::poll_readable({listener_->fd()}, 0));
    if (!(ready.front() & POLLIN)) return {};
    HF_TRY(handle_next());
  }
  return {};
}

void SupervisorSession::look_at_others() {
  if (kernel::timer_expired(labels_->timer_fd())) labels_->collect();
  jobs_->look(*listener_);
  answer_cgroup_files();
}

// One call at a time: the caller runs when this thread waits for the next one.
Result<void> SupervisorSession::dispatch_ready(const std::vector<int>& readable) {
  for (const int fd : readable) {
    if (fd == others_.get()) look_at_others();
    if (fd == listener_->fd()) HF_TRY(handle_next());
  }
  return {};
}

Result<void> SupervisorSession::handle_next() {
  auto call = listener_->receive();
  if (!call) {
    if (call.error().code == ENOENT || call.error().code == EINTR) return {};
    return call.error();
  }
  const std::uint64_t id = (*call)->id;
  if (const auto error = refuse_unreported(**call))
    return give(*listener_, id, Answer::error(*error));
  refusals_before_ = refusals();
  if ((*call)->data.nr == SYS_unshare && makes_nothing((*call)->data))
    return give(*listener_, id, Answer::continue_syscall());
  if (is_namespace_call((*call)->data) && nested_->none() &&
      level_->indifferent_to((*call)->data)) {
    known_.namespaces_may_change(**call);
    return give(*listener_, id, Answer::continue_syscall());
  }
  if (sets_file_lock_limit((*call)->data)) return give(*listener_, id, answer_limit(**call));
  if (is_accept_call((*call)->data.nr) && sockets_->indifferent_to_accepts())
    return give(*listener_, id, Answer::continue_syscall());
  const bool of_cgroups = cgroups_ && is_cgroup_call((*call)->data.nr) &&
                          (!answered_files_ || opens_file((*call)->data.nr));
  if (!of_cgroups && is_socket_call((*call)->data.nr) && sockets_->indifferent_to((*call)->data))
    return give(*listener_, id, Answer::continue_syscall());
  const bool unshares =
      (*call)->data.nr == SYS_unshare && kernel::types_from_clone_flags((*call)->data.args[0]) != 0;
  KnownTask* const known = known_.begin(**call, *listener_);
  const auto opened = known ? Result<kernel::TaskDirectory>(Error{ENOENT, "open", {}, {}})
                            : proc_.task(static_cast<pid_t>((*call)->pid));
  const Result<kernel::TaskDirectory>& task = known ? known->directory : opened;
  if ((*call)->data.nr == SYS_ioctl) {
    const auto command = static_cast<std::uint32_t>((*call)->data.args[1]);
    if (!listener_->waiting(id)) return {};  // `task` may be another thread's directory
    const int error = refuse_guarded(**call, task, HF_GUARD_TERMINAL, command);
    return give(*listener_, id, Answer::error(error));
  }
  if ((*call)->data.nr == SYS_prlimit64 || is_scheduling_call((*call)->data.nr))
    return answer(id, handle_limits(**call, task));
  if ((*call)->data.nr == SYS_seccomp) {
    const seccomp_notif asked = **call;
    return answer(id, task ? nested_->handle(asked, *task) : Answer::error(EPERM));
  }
  if (is_attribute_call((*call)->data.nr)) return handle_attributes(**call, task);
  if (of_cgroups) {
    const seccomp_notif cgroup_call = **call;
    if (const auto answer = handle_cgroups(cgroup_call, task)) return this->answer(id, *answer);
    const bool of_sockets = sockets_->rules_about(cgroup_call.data);
    return of_sockets ? handle_sockets(cgroup_call, task)
                      : give(*listener_, id, Answer::continue_syscall());
  }
  if ((*call)->data.nr == SYS_landlock_restrict_self) {
    if (connects_) connects_->tree_confined();
    if (connects_ && kernel::landlock_rules_unix_sockets())
      connects_->close(
          "a task of the command has confined itself with Landlock, which the connect helper could "
          "evade: from now on connects that need the connect helper are refused");
    return give(*listener_, id, Answer::continue_syscall());
  }
  if (is_accept_call((*call)->data.nr)) {
    const seccomp_notif accept = **call;
    return answer(id, task ? accepts_->handle(accept, *task) : Answer::error(EPERM));
  }
  if (is_socket_call((*call)->data.nr)) return handle_sockets(**call, task);
  if ((*call)->data.nr == SYS_clone && shares_table((*call)->data)) {
    const auto waits = [&] { return listener_->waiting(id); };
    if (!task || !shared_tables_.record(*task, waits)) return answer(id, Answer::error(EPERM));
    if (!makes_namespace(**call)) return give(*listener_, id, Answer::continue_syscall());
  }
  Result<kernel::TaskNamespaces> namespaces = kernel::TaskNamespaces{};
  std::vector<Level*> levels;
  const auto refusal = decide_call(**call, task, known, namespaces, levels);
  if (!refusal) return {};
  if (*refusal == 0 && is_namespace_call((*call)->data)) known_.namespaces_may_change(**call);
  const auto answered =
      *refusal ? listener_->refuse(id, *refusal) : listener_->continue_syscall(id);
  if (!answered) {
    if (answered.error().code == ENOENT) return {};
    return answered.error();
  }
  if (unshares && *refusal == 0 && namespaces) observe_creation(*task, *namespaces, levels);
  return {};
}

Result<void> SupervisorSession::answer(std::uint64_t id, const Answer& given) {
  count_unreported(given);
  return give(*listener_, id, given);
}

void SupervisorSession::count_unreported(const Answer& given) {
  if (given.kind == Answer::Kind::error && given.value == EPERM && refusals() == refusals_before_)
    totals_.unreported.unread++;
}

// Calls that the tree does not have. Empty: another call. A listener of the tree's own would be the
// second one, which the kernel refuses as well. Programs ask which flags there are by a null filter,
// so the answers come in the order of seccomp_set_mode_filter() of the kernel: EINVAL, EFAULT, EBUSY.
std::optional<int> SupervisorSession::refuse_unreported(const seccomp_notif& call) {
  if (call.data.nr == SYS_io_uring_setup) {
    totals_.unreported.rings++;
    return ENOSYS;
  }
  if (call.data.nr != SYS_seccomp ||
      static_cast<std::uint32_t>(call.data.args[0]) == kernel::kNestedRunOperation)
    return std::nullopt;
  if (!known_filter_flags(call.data.args[1])) return EINVAL;
  if (call.data.args[2] == 0) return EFAULT;
  totals_.unreported.listeners++;
  return EBUSY;
}

// prlimit(2) with a pid. A task of the tree may change the limits of another one as far as the
// kernel lets it. It may not change those of the supervisor, the connect helper or a task outside.
// To read limits is harmless. If the task that the pid means ends after this decision, its number
// may come to mean another task of the same user before the kernel continues the call.
Answer SupervisorSession::handle_limits(const seccomp_notif& call,
                                        const Result<kernel::TaskDirectory>& task) {
  const std::uint64_t new_limits = call.data.args[2];
  if (call.data.nr == SYS_prlimit64 && new_limits == 0) return Answer::continue_syscall();
  const auto number = task_that_is_changed(call.data);
  const auto waits = [&] { return listener_->waiting(call.id); };
  Located target = {Located::State::unknown};
  bool allowed = false;
  const auto namespaces = task ? task->namespaces() : Result<kernel::TaskNamespaces>(task.error());
  if (namespaces && number) {
    const SessionView view = level_->view();
    tree_.remember(*task, waits);
    target = locate(view, Caller{call, *task, *namespaces, {}}, *number);
    if (target.state == Located::State::found) {
      const auto other = proc_.task(target.pid);
      allowed = other && tree_.contains(*other);
    }
  }
  if (!waits()) return Answer::caller_gone();
  if (target.state == Located::State::none) return Answer::error(ESRCH);
  if (allowed) return Answer::continue_syscall();
  return Answer::error(refuse_guarded(call, task, HF_GUARD_LIMIT, 0));
}

bool SupervisorSession::in_own_user_namespace(const kernel::TaskDirectory& task) const {
  const auto namespaces = task.namespaces();
  return namespaces && namespaces->link[kernel::kUserNamespace] == own_user_namespace_;
}

AttributeAnswer SupervisorSession::decide_attributes(const seccomp_notif& call,
                                                     const kernel::TaskDirectory& task,
                                                     const AttributeMemory* memory) {
  const std::function<bool()> waiting = [&] { return listener_->waiting(call.id); };
  const Judge judged = [&](hf_request request, std::uint64_t cookie) {
    return judge(call, task, {.request = request, .target = cookie}, 0);
  };
  const std::function<bool()> own = [&] { return in_own_user_namespace(task); };
  return answer_attribute_call(
      *labels_, {call, task, shared_tables_, own, waiting, judged, spec_.labels}, memory);
}

// The caller's memory may be served by somebody who never answers. So jobs read and write it.
Result<void> SupervisorSession::handle_attributes(const seccomp_notif& received,
                                                  const Result<kernel::TaskDirectory>& task) {
  const seccomp_notif call = received;
  if (!task) return answer(call.id, Answer::error(EPERM));
  using Kind = kernel::TaskDirectory::DescriptorKind;
  const auto number = attribute_descriptor(call.data);
  if (number && attributes_ == SocketAttributes::emulated &&
      task->descriptor_kind(*number) == Kind::other && listener_->waiting(call.id))
    return give(*listener_, call.id, Answer::continue_syscall());
  auto opened = task->memory();
  auto directory = task->duplicate();
  if (!listener_->waiting(call.id)) return {};
  if (!opened) return answer(call.id, decide_attributes(call, *task, nullptr).answer);
  if (!directory) return answer(call.id, Answer::error(EPERM));
  struct Reading {
    kernel::TaskMemory memory;
    AttributeMemory read = {};
  };
  auto reading = std::make_shared<Reading>(Reading{std::move(*opened)});
  Job job{.work =
              [reading, data = call.data] {
                reading->read = read_attribute_memory(data, reading->memory);
                return Answer::deferred();
              },
          .finish = [this, reading, call](const kernel::TaskDirectory& caller) -> Answer {
            refusals_before_ = refusals();
            AttributeAnswer decided = decide_attributes(call, caller, &reading->read);
            count_unreported(decided.answer);
            if (decided.output.empty()) return decided.answer;
            auto again = caller.duplicate();
            if (!again) return Answer::error(EPERM);
            Job writing{.work = [reading, decided = std::move(decided)]() -> Answer {
              if (!reading->memory.write(decided.output_at, decided.output))
                return Answer::error(EFAULT);
              return decided.answer;
            }};
            const auto started =
                jobs_->start(call, std::move(*again), *listener_, std::move(writing));
            return started ? Answer::deferred() : Answer::error(started.error().code);
          }};
  const auto started = jobs_->start(call, std::move(*directory), *listener_, std::move(job));
  return started ? Result<void>() : answer(call.id, Answer::error(started.error().code));
}

Result<void> SupervisorSession::handle_sockets(const seccomp_notif& received,
                                               const Result<kernel::TaskDirectory>& task) {
  const seccomp_notif call = received;
  if (!task) return answer(call.id, Answer::error(EPERM));
  const std::function<bool()> waiting = [&] { return listener_->waiting(call.id); };
  const JudgeRate judged = [&](hf_request request, std::uint64_t cookie, unsigned tokens) {
    return judge(call, *task, {.request = request, .target = cookie}, tokens);
  };
  const hf_request common = {};
  const std::function<bool()> own = [&] { return in_own_user_namespace(*task); };
  return answer(call.id,
                sockets_->handle({call, *task, shared_tables_, own, waiting, common}, judged));
}

std::optional<Answer> SupervisorSession::handle_cgroups(const seccomp_notif& call,
                                                        const Result<kernel::TaskDirectory>& task) {
  if (!task) return Answer::error(EPERM);
  auto begun = cgroups_->begin(call.data, *task);
  if (!begun) return std::nullopt;
  const bool opens = opens_file(call.data.nr);
  const bool hole = opens && cgroups_->ruleset_has_hole();
  auto memory = task->memory();
  auto directory = task->duplicate();
  auto of_job = task->duplicate();
  if (!listener_->waiting(call.id)) return Answer::caller_gone();
  if (!directory || !of_job) return Answer::error(EPERM);
  if (!memory && opens && !hole) return std::nullopt;  // Landlock refuses the file of a cgroup
  struct Reading {
    CgroupLook look;
    Result<kernel::TaskMemory> memory;
    kernel::TaskDirectory task;
  };
  auto reading =
      std::make_shared<Reading>(Reading{std::move(*begun), std::move(memory), std::move(*of_job)});
  const auto answered = answered_files_;
  Job job{.work = [reading, opens, hole, answered, data = call.data]() -> Answer {
            if (reading->memory)
              reading->look.read(data, reading->task, *reading->memory, answered.get());
            const bool other = opens && !reading->look.file && !hole;
            return other ? Answer::continue_syscall() : Answer::deferred();
          },
          .finish = [this, reading, call](const kernel::TaskDirectory& caller) -> Answer {
            refusals_before_ = refusals();
            const auto answer = cgroups_->handle(
                level_->view(), call, caller, reading->look,
                [&] { return listener_->waiting(call.id); },
                [&](const DecisionRecord& move) { return judge(call, caller, move, 0); });
            if (!answer) return Answer::continue_syscall();
            count_unreported(*answer);
            return *answer;
          }};
  const auto started = jobs_->start(call, std::move(*directory), *listener_, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}

void SupervisorSession::answer_cgroup_files() {
  if (!answered_files_ || !cgroups_) return;
  for (int handled = 0; handled < kCallsPerDispatch; handled++) {
    const auto asked = answered_files_->next();
    if (!asked) return;
    answer_cgroup_file(*asked);
  }
}

// The thread waits until it is answered, whatever happens to it. So its number stays its own, and there
// is nothing to ask again after facts were read.
void SupervisorSession::answer_cgroup_file(const kernel::AnsweredFiles::Asked& asked) {
  refusals_before_ = refusals();
  seccomp_notif call = {};
  call.pid = static_cast<std::uint32_t>(asked.thread);
  call.data.nr = SYS_write;
  const auto task = asked.thread > 0
                        ? proc_.task(asked.thread)
                        : Result<kernel::TaskDirectory>(Error{ESRCH, "find task", {}, {}});
  if (task && asked.kind == kernel::AnsweredFiles::Asked::Kind::read) {
    const auto text = cgroups_->read(level_->view(), *task, asked);
    if (text) return answered_files_->answer_read(asked.request, *text);
    return answered_files_->answer_error(asked.request, text.error().code);
  }
  Answer answer = Answer::error(EPERM);
  if (task)
    answer = cgroups_->write(level_->view(), call, *task, asked, [&](const DecisionRecord& move) {
      return judge(call, *task, move, 0);
    });
  count_unreported(answer);
  if (answer.kind == Answer::Kind::value)
    answered_files_->answer_write(asked.request, static_cast<std::size_t>(answer.value));
  else
    answered_files_->answer_error(asked.request, static_cast<int>(answer.value));
}

bool SupervisorSession::has_tokens(const hf_verdict& verdict, unsigned tokens) {
  const hf_profile& own = profile();
  for (std::uint32_t i = 0; i < own.socket_count; i++) {
    const hf_socket_rule& rule = spec_.tables->socket_rules[own.socket_first + i];
    if (rule.rule == verdict.rule) return buckets_.take(rule, tokens);
  }
  return false;
}

int SupervisorSession::judge(const seccomp_notif& call, const kernel::TaskDirectory& task,
                             DecisionRecord asked, unsigned tokens) {
  asked.request.subject = spec_.profile;
  asked.request.subject_set = kOnlySet;
  hf_verdict verdict;
  hf_decide(spec_.tables, &asked.request, &verdict);
  if (verdict.action == HF_LIMIT) hf_settle(spec_.tables, &verdict, has_tokens(verdict, tokens));
  hf_count_decision(&totals_, &verdict);
  if (verdict.log) {
    hf_task actor = describe_task(task).value_or(hf_task{});
    actor.pid = call.pid;
    report(asked, verdict, actor);
  }
  return -hf_enforced_error(&verdict);
}

// The kernel does not report the result of an unshare(). So this reads the thread's namespaces for
// at most 2 ms, until they change, and records the new ones as proved. They cannot come from a
// later call: that call would be notified, and wait until this function has returned. If the thread
// is too slow there is no proof, so entries are stricter, never looser.
void SupervisorSession::observe_creation(const kernel::TaskDirectory& task,
                                         const kernel::TaskNamespaces& before,
                                         std::vector<Level*> levels) {
  std::erase_if(levels, [](Level* level) {
    return !level->sandbox().tracks() || !confines(level->profile());
  });
  if (levels.empty()) return;
  for (int look = 0; look < kCreationLooks; look++) {
    kernel::sleep_us(kCreationLookUs);
    const auto after = task.namespaces();
    if (!after) return;
    bool changed = false;
    for (std::size_t link = 0; link < kernel::kNamespaceLinkCount; link++) {
      const kernel::NamespaceInode inode = after->link[link];
      if (inode == before.link[link] || inode == kernel::kNamespaceWithoutInit) continue;
      changed = true;
      for (Level* level : levels) {
        auto fd = task.open_namespace(link);
        if (!fd) continue;
        const auto object = kernel::identify_namespace(fd->get());
        if (object && object->inode == inode) level->sandbox().prove(inode, std::move(*fd));
      }
    }
    if (changed) return;
  }
}

std::optional<int> SupervisorSession::decide_call(const seccomp_notif& call,
                                                  const Result<kernel::TaskDirectory>& task,
                                                  KnownTask* known,
                                                  Result<kernel::TaskNamespaces>& namespaces,
                                                  std::vector<Level*>& levels) {
  const auto nested = nested_->levels_of(task);
  levels = {&*level_};
  if (nested) levels.insert(levels.end(), nested->begin(), nested->end());
  const bool needed = std::ranges::any_of(
      levels, [&](const Level* level) { return level->needs_namespaces(call.data); });
  if (!task)
    namespaces = task.error();
  else if (needed && known && known->namespaces)
    namespaces = *known->namespaces;
  else if (needed)
    namespaces = task->namespaces();
  if (known && needed && namespaces) KnownTasks::keep_namespaces(*known, *namespaces);
  const std::uint64_t since = tree_.remembered_since();
  if (task && namespaces && needed && !(known && known->remembered == since)) {
    const bool kept = tree_.remember(*task, [&] { return listener_->waiting(call.id); });
    if (known && kept) known->remembered = tree_.remembered_since();
  }
  std::vector<Question> questions;
  for (Level* level : levels) questions.push_back(level->ask(call, task, namespaces));
  // If the caller has died, its pid may name another thread, and the facts above are about that
  // one.
  if (!listener_->waiting(call.id)) return std::nullopt;
  if (!nested) {  // nobody knows whose rules hold the caller
    totals_.unreported.unread++;
    return EPERM;
  }
  if (const int error = questions.front().error) return error;
  if (cgroups_ && std::ranges::any_of(questions.front().decisions, could_change_mounts))
    return refuse_guarded(call, task, HF_GUARD_MOUNT_NAMESPACE, 0);
  int refusal = 0;  // the outermost level's
  for (std::size_t i = 0; i < levels.size(); i++) {
    int error = questions[i].error;
    if (error == 0) error = levels[i]->decide(call, task, questions[i]);
    if (refusal == 0) refusal = error;
  }
  if (refusal != 0) return refusal;
  for (std::size_t i = 0; i < levels.size(); i++) levels[i]->allow(questions[i]);
  return 0;
}

int SupervisorSession::refuse_guarded(const seccomp_notif& call,
                                      const Result<kernel::TaskDirectory>& task, std::uint32_t what,
                                      std::uint32_t detail) {
  totals_.guarded++;
  hf_guard_event event = {};
  event.time_ns = kernel::boottime_ns();
  event.id = next_event_++;
  event.what = what;
  event.detail = detail;
  if (task) event.actor = describe_task(*task).value_or(hf_task{});
  event.actor.pid = call.pid;
  if (spec_.guard_sink) spec_.guard_sink(event);
  return EPERM;
}

void SupervisorSession::report(const DecisionRecord& asked, const hf_verdict& verdict,
                               const hf_task& actor) {
  hf_event event =
      decided(asked.request, verdict, actor, spec_.tables->generation, kernel::boottime_ns());
  event.id = next_event_++;
  event.source = asked.source;
  event.target = asked.target;
  event.object = asked.object;
  const bool moves = asked.request.op == HF_OP_CGROUP_ATTACH;
  if (moves && spec_.move_sink)
    spec_.move_sink(event, asked.paths);
  else if (spec_.sink)
    spec_.sink(event);
}

Result<Totals> SupervisorSession::finish() {
  if (listener_) {
    HF_TRY(dispatch());
  }
  return totals_;
}

}  // namespace holdfast::backend::supervisor
