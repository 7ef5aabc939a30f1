// SPDX-License-Identifier: Apache-2.0
//
// Moves between cgroups are controlled in three ways:
//
//   1. The tree's Landlock domain forbids to open a cgroup file for writing, under any name, and
//      to mount anything.
//   2. The filter answers clone3() with ENOSYS, so no task starts in another cgroup by
//      CLONE_INTO_CGROUP.
//   3. This file handles an open for writing of a file of the unified hierarchy. For cgroup.procs
//      and cgroup.threads the caller gets a descriptor of a FUSE file, whose writes the kernel sends
//      here (kernel/files/answered_files.h). Where there can be none, it gets a read-only descriptor,
//      and short writes of all files are notified. Either way such a write is a move: the supervisor
//      decides it and makes it. Other cgroup files are opened as the caller asked.
//
// A job reads the caller's memory and follows its paths, since a task of the tree may serve both and
// never answer. Memory is read once, and the supervisor acts on what it read. If a call is mistaken
// for one about another file, the kernel performs it, and the Landlock domain still applies.
//
// The supervisor opens files with its own credentials. So it does that only for a caller with the
// same credentials.
#include "backend/supervisor/cgroup_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "backend/calls/descriptor_path.h"
#include "backend/supervisor/filter.h"
#include "kernel/process/process.h"

namespace holdfast::backend::supervisor {
namespace {

constexpr std::size_t kPathBytes = 4096;
constexpr char kDelegateAttribute[] = "trusted.delegate";
constexpr std::size_t kCgroupLink = 6;
static_assert(HF_NS_CGROUP == 1u << kCgroupLink);

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH); }

bool lies_in(const std::string& path, const std::string& root) {
  return path == root || root == "/" || path.starts_with(root + "/");
}

}  // namespace

bool protects_cgroups(const hf_profile& profile) {
  return profile.cg_leave != HF_MOVERS_ANY || profile.cg_join != HF_MOVERS_ANY ||
         profile.cg_inside != HF_INSIDE_ANY;
}

bool opens_file(int number) {
  return number == SYS_open || number == SYS_openat || number == SYS_openat2 || number == SYS_creat;
}

bool is_cgroup_call(int number) {
  switch (number) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
    case SYS_write:
    case SYS_writev:
      return true;
    default:
      return false;
  }
}

Result<CgroupFileHandler::Credentials> CgroupFileHandler::credentials(
    const kernel::TaskDirectory& task) {
  HF_TRY_ASSIGN(auto file, task.file_credentials());
  HF_TRY_ASSIGN(const auto namespaces, task.namespaces());
  return Credentials{std::move(file), namespaces.link[kernel::kUserNamespace],
                     namespaces.link[kCgroupLink]};
}

Result<CgroupFileHandler> CgroupFileHandler::create(const SessionSpec& spec,
                                                    kernel::CgroupMounts& mounts,
                                                    const kernel::Proc& proc,
                                                    kernel::AnsweredFiles* answered) {
  HF_TRY_ASSIGN(const auto self, proc.task(kernel::own_pid()));
  HF_TRY_ASSIGN(auto own, credentials(self));
  CgroupFileHandler handler(spec, mounts, std::move(own), answered);
  const auto profiles = std::span(spec.tables->profiles).first(spec.tables->profile_count);
  const bool needed = std::ranges::any_of(
      profiles, [](const hf_profile& one) { return one.cg_inside == HF_INSIDE_DELEGATED; });
  if (!needed || mounts.unified().empty()) return handler;
  HF_TRY_ASSIGN(const auto found,
                kernel::cgroups_with_attribute(mounts.unified(), kDelegateAttribute, "1"));
  for (const std::string& directory : found)
    handler.delegated_.push_back(
        directory == mounts.unified() ? "/" : directory.substr(mounts.unified().size()));
  return handler;
}

namespace {

// An open call, as far as its registers say.
struct Opening {
  int base = AT_FDCWD;
  std::uint64_t path = 0;
  int flags = 0;
  std::uint64_t resolve = 0;
  std::uint64_t how = 0;  // the address of a struct open_how, or 0
};

std::optional<Opening> opening(const seccomp_data& call) {
  const auto& a = call.args;
  switch (call.nr) {
    case SYS_open:
      return Opening{.path = a[0], .flags = static_cast<int>(a[1])};
    case SYS_creat:
      return Opening{.path = a[0], .flags = O_CREAT | O_WRONLY | O_TRUNC};
    case SYS_openat:
      return Opening{.base = static_cast<int>(a[0]), .path = a[1], .flags = static_cast<int>(a[2])};
    default:
      if (a[3] < sizeof(::open_how)) return std::nullopt;  // EINVAL
      return Opening{.base = static_cast<int>(a[0]), .path = a[1], .how = a[2]};
  }
}

// Opens the file that the path names for the caller (O_PATH). A wrong result is harmless: if it is a
// cgroup file, the move to it is decided; if not, the kernel performs the call.
Result<Fd> named_file(const Opening& open, const std::string& path,
                      const kernel::TaskDirectory& task) {
  pid_t own_number = 0;
  if (path.starts_with("/proc/") && !path.starts_with("/proc/self/")) {
    HF_TRY_ASSIGN(const auto status, task.status());
    own_number = status.innermost_pid;
  }
  if (const auto own = descriptor_of_path(path, own_number)) return task.open_descriptor(*own);
  const bool from_root = path.front() == '/' && !(open.resolve & RESOLVE_IN_ROOT);
  HF_TRY_ASSIGN(auto start, from_root               ? task.root()
                            : open.base == AT_FDCWD ? task.working_directory()
                                                    : task.open_descriptor(open.base));
  return kernel::find_file(
      start.get(), path, open.flags & (O_NOFOLLOW | O_DIRECTORY),
      open.resolve | (from_root ? RESOLVE_IN_ROOT : 0) | RESOLVE_NO_MAGICLINKS);
}

Result<std::string> read_vectors(const kernel::TaskMemory& memory, std::uint64_t at,
                                 std::uint64_t count) {
  std::string all;
  for (std::uint64_t i = 0; i < count; i++) {
    HF_TRY_ASSIGN(const auto raw, memory.read(at + i * sizeof(iovec), sizeof(iovec)));
    iovec one = {};
    std::memcpy(&one, raw.data(), sizeof(one));
    if (one.iov_len > kMaxMoveBytes - all.size()) return Error{EINVAL, "read", {}, {}};
    HF_TRY_ASSIGN(const auto part,
                  memory.read(reinterpret_cast<std::uint64_t>(one.iov_base), one.iov_len));
    all += part;
  }
  return all;
}

std::uint16_t way_of(const kernel::CgroupFile& file) {
  if (file.name == "cgroup.procs") return HF_VIA_CGROUP_PROCS;
  return file.name == "cgroup.threads" ? HF_VIA_CGROUP_THREADS : 0;
}

}  // namespace

void CgroupLook::read(const seccomp_data& call, const kernel::TaskDirectory& task,
                      const kernel::TaskMemory& memory, const kernel::AnsweredFiles* answered) {
  const auto& a = call.args;
  if (!opens_file(call.nr)) {
    text = call.nr == SYS_write ? memory.read(a[1], a[2]) : read_vectors(memory, a[1], a[2]);
    return;
  }
  auto open = opening(call);
  if (open && open->how != 0) {
    ::open_how how = {};
    const auto raw = memory.read(open->how, sizeof(how));
    if (!raw) return;
    std::memcpy(&how, raw->data(), sizeof(how));
    open->flags = static_cast<int>(how.flags);
    open->resolve = how.resolve;
  }
  if (!open || !writes(open->flags)) return;
  flags = open->flags;
  const auto path = memory.read_string(open->path, kPathBytes);
  if (!path || path->empty()) return;
  auto found = named_file(*open, *path, task);
  if (!found) return;
  if (kernel::hierarchy_of(found->get()) == kernel::Hierarchy::unified) {
    file = std::move(*found);
    return;
  }
  // A descriptor that the caller has got for a file of a cgroup, by its name in /proc.
  const auto named = answered ? answered->object_of(found->get()) : nullptr;
  auto again = named ? kernel::duplicate(named->get()) : Result<Fd>(Fd());
  if (again) file = std::move(*again);
}

// The filter tests the lower 32 bits of a length. The kernel continues a longer write. On a
// descriptor from Attempt::open() that fails with EBADF, since it is read-only.
std::optional<CgroupLook> CgroupFileHandler::begin(const seccomp_data& call,
                                                   const kernel::TaskDirectory& task) const {
  if (opens_file(call.nr)) {
    const auto open = opening(call);
    if (!open || (open->how == 0 && !writes(open->flags))) return std::nullopt;
    return CgroupLook{};
  }
  if (call.args[2] > (call.nr == SYS_write ? kMaxMoveBytes : kMaxMoveVectors)) return std::nullopt;
  const int number = static_cast<int>(call.args[0]);
  // Most writes are to other files.
  const auto unified = mounts_.unified_device();
  const auto device = unified ? task.descriptor_device(number) : Result<dev_t>(dev_t{});
  if (unified && (!device || *device != *unified)) return std::nullopt;
  auto target = task.open_descriptor(number);
  if (!target || kernel::hierarchy_of(target->get()) != kernel::Hierarchy::unified)
    return std::nullopt;
  const auto facts = mounts_.file(target->get());
  if (facts && way_of(*facts) == 0) return std::nullopt;
  return CgroupLook{.file = std::move(*target)};
}

// Handles one call. An empty Outcome: the call is not about a cgroup file.
class CgroupFileHandler::Attempt {
 public:
  using Outcome = std::optional<Answer>;

  Attempt(const CgroupFileHandler& handler, const SessionView& view, const seccomp_notif& call,
          const kernel::TaskDirectory& task, const CgroupLook& look,
          const std::function<bool()>& waiting, const JudgeMove& judge)
      : handler_(handler),
        view_(view),
        call_(call),
        task_(task),
        look_(look),
        waiting_(waiting),
        judge_(judge) {}

  Outcome run() { return opens_file(call_.data.nr) ? open() : write(); }

  // Refuses in every mode, audit included. The supervisor would act with its own rights, which the
  // caller may not have.
  [[nodiscard]] Answer refuse_unknown(const Result<kernel::CgroupFile>& file = Error{
                                          ESTALE, "find", {}, {}}) const {
    DecisionRecord move = common(file);
    move.request.flags |= HF_REQ_FACTS_MISSING;
    const int error = judge_(move);
    return Answer::error(error ? error : EPERM);
  }

 private:
  Outcome open() {
    if (!look_.file) return std::nullopt;
    const int flags = look_.flags;
    if ((flags & O_CREAT) && (flags & O_EXCL)) return Answer::error(EEXIST);
    const auto facts = handler_.mounts_.file(look_.file.get());
    const int kept = flags & (O_ACCMODE | O_TRUNC | O_APPEND | O_NONBLOCK);
    const bool moves = !facts || way_of(*facts) != 0;
    if (!facts || !same_credentials()) return refuse_unknown(facts);
    auto writable = kernel::reopen(look_.file.get(), moves ? flags & O_ACCMODE : kept);
    if (!writable) return Answer::error(writable.error().code);
    const int close_on_exec = flags & O_CLOEXEC;
    if (moves && handler_.answered_) return open_answered(flags);
    if (!moves) return Answer::descriptor(std::move(*writable), close_on_exec);
    auto readable = kernel::reopen(look_.file.get(), O_RDONLY);
    if (!readable) return Answer::error(readable.error().code);
    return Answer::descriptor(std::move(*readable), close_on_exec);
  }

  [[nodiscard]] Answer open_answered(int flags) const {
    auto object = kernel::duplicate(look_.file.get());
    if (!object) return Answer::error(object.error().code);
    auto file = handler_.answered_->open(std::make_shared<const Fd>(std::move(*object)), flags);
    if (!file) return Answer::error(file.error().code);
    return Answer::descriptor(std::move(*file), flags & O_CLOEXEC);
  }

  Outcome write() {
    const auto facts = handler_.mounts_.file(look_.file.get());
    if (!facts || !same_credentials()) return refuse_unknown(facts);
    if (!look_.text) return Answer::error(EFAULT);
    const auto written = kernel::parse_task_number(*look_.text);
    if (!written) return Answer::error(EINVAL);
    const auto moved = task_meant(*written);
    const auto task = moved ? view_.proc.task(*moved)
                            : Result<kernel::TaskDirectory>(Error{ESRCH, "find task", {}, {}});
    if (!waiting_()) return Answer::caller_gone();  // if it waits, call_.pid was the caller's
    if (!task) return Answer::error(ESRCH);
    if (const int error = decide(*facts, *task)) return Answer::error(error);
    if (!task->status()) return Answer::error(ESRCH);
    const auto done = kernel::move_task(look_.file.get(), *moved);
    if (!done) return Answer::error(done.error().code);
    // The kernel takes a pid. If the task is still alive, it had that pid the whole time. If not,
    // another task may have got the pid and the move, without a decision.
    if (!task->status()) return refuse_unknown(facts);
    return Answer::returns(static_cast<std::int64_t>(look_.text->size()));
  }

  [[nodiscard]] std::optional<pid_t> task_meant(pid_t written) const {
    if (written == 0) return static_cast<pid_t>(call_.pid);
    const auto namespaces = task_.namespaces();
    if (!namespaces) return std::nullopt;
    return supervisors_number(view_, Caller{call_, task_, *namespaces, {}}, written);
  }

  [[nodiscard]] bool same_credentials() const {
    const auto theirs = credentials(task_);
    return theirs && *theirs == handler_.own_;
  }

  [[nodiscard]] DecisionRecord common(const Result<kernel::CgroupFile>& file) const {
    DecisionRecord move;
    move.request.op = HF_OP_CGROUP_ATTACH;
    move.request.via = HF_VIA_CGROUP_PROCS;
    if (!file) return move;
    if (const std::uint16_t way = way_of(*file)) move.request.via = way;
    if (move.request.via == HF_VIA_CGROUP_PROCS) move.request.flags |= HF_REQ_THREADGROUP;
    move.target = file->cgroup;
    move.paths.target = file->path;
    return move;
  }

  // A write to cgroup.procs moves all threads of the process. They may be in different cgroups.
  [[nodiscard]] int decide(const kernel::CgroupFile& to, const kernel::TaskDirectory& task) const {
    const auto status = task.status();
    if (!status) return ESRCH;
    DecisionRecord move = common(to);
    std::vector<pid_t> threads = {status->thread};
    if (move.request.flags & HF_REQ_THREADGROUP) threads = task.threads();
    std::vector<std::string> sources;
    for (const pid_t thread : threads) {
      const auto directory = view_.proc.task(thread);
      if (!directory) continue;  // the thread has ended
      const auto cgroup = directory->cgroup();
      if (!cgroup) move.request.flags |= HF_REQ_FACTS_MISSING;
      if (cgroup && std::ranges::find(sources, *cgroup) == sources.end())
        sources.push_back(*cgroup);
    }
    if (sources.empty()) return ESRCH;
    move.object = describe_task(task).value_or(hf_task{});
    // A task that may be a member is treated as one: the rules about members are stricter.
    const bool member = view_.tree.of(task) != Membership::none;
    for (const std::string& source : sources)
      if (const int error = decide_source(move, source, member)) return error;
    return 0;
  }

  [[nodiscard]] int decide_source(DecisionRecord move, const std::string& source,
                                  bool member) const {
    hf_request& request = move.request;
    move.paths.source = source;
    if (const auto number = handler_.mounts_.id(source)) move.source = *number;
    if (move.source == move.target) request.flags |= HF_REQ_SAME_CGROUP;
    if (std::ranges::any_of(handler_.delegated_, [&](const std::string& root) {
          return lies_in(source, root) && lies_in(move.paths.target, root);
        }))
      request.flags |= HF_REQ_DELEGATED;
    if (!fill(request.src_chain, source) || !fill(request.dst_chain, move.paths.target))
      request.flags |= HF_REQ_FACTS_MISSING;
    request.object = member ? handler_.spec_.profile : request.src_chain[0];
    return judge_(move);
  }

  [[nodiscard]] bool fill(__u16 (&chain)[HF_MAX_NEST], const std::string& path) const {
    if (path.starts_with("/..")) return false;  // outside of this cgroup namespace
    const auto profiles = handler_.spec_.profiles_of_cgroup(path);
    if (profiles.size() > HF_MAX_NEST) return false;
    std::ranges::copy(profiles, chain);
    return true;
  }

  const CgroupFileHandler& handler_;
  const SessionView& view_;
  const seccomp_notif& call_;
  const kernel::TaskDirectory& task_;
  const CgroupLook& look_;
  const std::function<bool()>& waiting_;
  const JudgeMove& judge_;
};

// Through such a mount a call that this file does not recognise would succeed.
bool CgroupFileHandler::ruleset_has_hole() {
  if (!mounts_.has_new_mount()) return false;
  if (!warned_of_hole_ && spec_.notice)
    spec_.notice(
        "a cgroup hierarchy was mounted while the command runs; the command's Landlock ruleset "
        "does "
        "not cover it, so from now on the command can open no file for writing");
  warned_of_hole_ = true;
  return true;
}

std::optional<Answer> CgroupFileHandler::handle(const SessionView& view, const seccomp_notif& call,
                                                const kernel::TaskDirectory& task,
                                                const CgroupLook& look,
                                                const std::function<bool()>& waiting,
                                                const JudgeMove& judge) {
  Attempt attempt(*this, view, call, task, look, waiting, judge);
  auto answer = attempt.run();
  if (!answer && opens_file(call.data.nr) && ruleset_has_hole()) return attempt.refuse_unknown();
  return answer;
}

// A descriptor can be passed on to a task that is not of the run. For that one the supervisor would act
// with rights that it need not have.
Answer CgroupFileHandler::write(const SessionView& view, const seccomp_notif& call,
                                const kernel::TaskDirectory& task,
                                const kernel::AnsweredFiles::Asked& asked, const JudgeMove& judge) {
  CgroupLook look;
  look.text = asked.text;
  if (auto file = kernel::duplicate(asked.object->get())) look.file = std::move(*file);
  const std::function<bool()> waits = [] { return true; };
  Attempt attempt(*this, view, call, task, look, waits, judge);
  if (!look.file || !view.tree.contains(task)) return attempt.refuse_unknown();
  return *attempt.run();
}

namespace {

pid_t number_in(const kernel::TaskDirectory& task, kernel::NamespaceInode pid_namespace) {
  const auto namespaces = task.namespaces();
  const auto status = task.status();
  const bool inside =
      namespaces && namespaces->link[kernel::kPidNamespace] == pid_namespace && status;
  return inside ? status->innermost_pid : 0;
}

}  // namespace

// The kernel shows each reader the numbers of its own pid namespace, and 0 for a task that is not in it.
Result<std::string> CgroupFileHandler::read(const SessionView& view,
                                            const kernel::TaskDirectory& task,
                                            const kernel::AnsweredFiles::Asked& asked) const {
  const Error refused = {EPERM, "read", {}, {}};
  const auto theirs = credentials(task);
  if (!view.tree.contains(task) || !theirs || *theirs != own_) return refused;
  HF_TRY_ASSIGN(const auto self, view.proc.task(kernel::own_pid()));
  HF_TRY_ASSIGN(const auto own, self.namespaces());
  HF_TRY_ASSIGN(const auto reader, task.namespaces());
  const kernel::NamespaceInode seen_from = reader.link[kernel::kPidNamespace];
  HF_TRY_ASSIGN(auto numbers, kernel::tasks_in(asked.object->get()));
  std::string text;
  for (pid_t number : numbers) {
    if (seen_from != own.link[kernel::kPidNamespace]) {
      const auto member = view.proc.task(number);
      number = member ? number_in(*member, seen_from) : 0;
    }
    text += std::to_string(number) + "\n";
  }
  if (asked.offset >= text.size()) return std::string();
  return text.substr(asked.offset, asked.most_bytes);
}

}  // namespace holdfast::backend::supervisor
