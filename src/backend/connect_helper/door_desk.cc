// SPDX-License-Identifier: Apache-2.0
//
// Two ways to the door. It finds the file that the path names, with the caller's rights, and hands
// it over. The file that a socket is bound to is that socket's for good: bind() always makes a new
// one. So who listens there is known, is judged, and is who the door then connects to, whatever is
// renamed meanwhile. What the caller's memory says is read once.
//
// An abstract name may come to be another socket's between a look and the connect. And Landlock
// keeps the tree from abstract sockets outside, which a door without its domain would undo.
#include "backend/connect_helper/door_desk.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "backend/calls/descriptor_path.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::supervisor {
namespace {

constexpr std::size_t kMostAddressBytes = sizeof(sockaddr_storage);
// So that others can be answered while nobody is at the door (backend/calls/jobs.cc has the whole number).
constexpr long kMostVisits = 256;
constexpr std::string_view kGone =
    "the process that connects unix sockets for the command is gone or stopped: connects that need "
    "it are refused";

// The kernel refuses what is no address of the family, and a datagram socket is disconnected by
// AF_UNSPEC. Neither finds anybody.
bool finds_somebody(const std::string& address) {
  sa_family_t family = AF_UNSPEC;
  if (address.size() <= offsetof(sockaddr_un, sun_path) || address.size() > sizeof(sockaddr_un))
    return false;
  std::memcpy(&family, address.data(), sizeof(family));
  return family == AF_UNIX;
}

}  // namespace

bool needs_door(const hf_tables& tables, const hf_profile& profile) {
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    if (!(rule.ops & HF_SOCK_CONNECT) || !(rule.families & HF_FAMILY_UNIX)) continue;
    if (rule.peer_count > 0 || rule.verdict != HF_SOCK_ALLOW) return true;
  }
  return false;
}

// Shared with the jobs.
struct DoorDesk::Visit {
  Visit(Connecting& from, std::shared_ptr<int> ticket)
      : call(from.call),
        socket(std::move(from.socket)),
        cookie(from.cookie),
        request(from.request),
        by_peer(from.by_peer),
        place(std::move(ticket)) {}

  seccomp_notif call;
  Fd socket;
  std::uint64_t cookie;
  hf_request request;
  bool by_peer;
  std::shared_ptr<int> place;  // among those at the door
  std::string address = {};    // as the caller's memory has it
  std::string path = {};       // empty: the file is known, or there is none
  Fd directory = {};           // where a relative path begins
  Fd file = {};                // whom it is about, once that is known
  bool gone = false;           // the door is
};

Answer DoorDesk::refuse_unknown(const Visit& visit, const kernel::TaskDirectory& task) {
  hf_request request = visit.request;
  request.flags |= HF_REQ_FACTS_MISSING;
  const int error = office_.judge(visit.call, task, request, visit.cookie, 1);
  return Answer::error(error ? error : EPERM);
}

int DoorDesk::judge_own(const Visit& visit, const kernel::TaskDirectory& task) {
  return visit.by_peer ? 0 : office_.judge(visit.call, task, visit.request, visit.cookie, 1);
}

void DoorDesk::say_once(std::string_view what) {
  if (!said_ && office_.notice) office_.notice(what);
  said_ = true;
}

void DoorDesk::close(std::string_view why) {
  closed_ = true;
  say_once(why);
}

// An answer: there is no place, or it cannot be known.
std::optional<Answer> DoorDesk::read_place(Visit& visit, const kernel::TaskDirectory& task) {
  const std::string path(visit.address.data() + offsetof(sockaddr_un, sun_path),
                         visit.address.size() - offsetof(sockaddr_un, sun_path));
  visit.path = path.substr(0, path.find('\0'));
  if (visit.path.empty() || closed_ || !door_->stands_for(task)) return refuse_unknown(visit, task);
  const auto status = task.status();
  if (!status) return Answer::error(EPERM);
  Result<Fd> opened = Fd();
  const auto own = descriptor_of_path(visit.path, status->innermost_pid);
  if (own) {
    visit.path.clear();
    opened = task.named_by(*own);
    if (opened) visit.file = std::move(*opened);
  } else if (!visit.path.starts_with('/')) {
    opened = task.working_directory();
    if (opened) visit.directory = std::move(*opened);
  }
  if (opened) return std::nullopt;
  return own && opened.error().code == ENOENT ? Answer::error(ENOENT) : refuse_unknown(visit, task);
}

Answer DoorDesk::start(const VisitPtr& visit, const kernel::TaskDirectory& task,
                       std::function<Answer()> work,
                       std::function<Answer(const kernel::TaskDirectory&)> finish) {
  auto directory = task.duplicate();
  const auto limited = kernel::has_send_timeout(visit->socket.get());
  if (!directory || !limited) return Answer::error(EPERM);
  Job job{.work = std::move(work),
          .finish = std::move(finish),
          .interrupted = *limited ? Interrupted::ends : Interrupted::restarts};
  auto started =
      office_.jobs.start(visit->call, std::move(*directory), office_.listener, std::move(job));
  return started ? Answer::later() : Answer::error(started.error().code);
}

Answer DoorDesk::connect(Connecting from) {
  const kernel::TaskDirectory& task = from.task;
  auto visit = std::make_shared<Visit>(from, visits_);
  const auto memory = task.memory();
  if (!memory) return Answer::error(EPERM);
  const auto length = static_cast<std::uint32_t>(from.call.data.args[2]);
  if (length > kMostAddressBytes) return Answer::error(EINVAL);
  auto address = memory->read(from.call.data.args[1], length);
  if (!from.waiting()) return Answer::dead();  // what was just opened is the caller's
  if (!address) return Answer::error(EFAULT);
  visit->address = std::move(*address);
  if (!finds_somebody(visit->address)) {
    if (const int error = judge_own(*visit, task)) return Answer::error(error);
    const auto done = kernel::connect_socket(visit->socket.get(), visit->address);
    return done ? Answer::returns(0) : Answer::error(done.error().code);
  }
  auto nowhere = read_place(*visit, task);
  if (!from.waiting()) return Answer::dead();
  if (nowhere) return *nowhere;
  if (visits_.use_count() > kMostVisits) return Answer::error(EAGAIN);
  if (const int error = judge_own(*visit, task)) return Answer::error(error);
  const auto find = [visit, door = door_]() -> Answer {
    auto found = visit->file ? door->look(visit->file.get())
                             : door->find(visit->path, visit->directory.get());
    if (!found && found.error().code == EINTR) return Answer::error(EINTR);
    visit->gone = !found;
    if (!found) return Answer::later();
    // A link of /proc that leads where no path does.
    if (found->error != 0 && found->error != ELOOP) return Answer::error(found->error);
    if (found->probe == ECONNREFUSED || found->probe == EACCES) return Answer::error(found->probe);
    if (found->file) visit->file = std::move(found->file);
    if (found->error == ELOOP) visit->file.reset();
    return Answer::later();
  };
  return start(visit, task, find, [this, visit](const kernel::TaskDirectory& caller) {
    return after_find(visit, caller);
  });
}

Answer DoorDesk::after_find(const VisitPtr& visit, const kernel::TaskDirectory& task) {
  if (!office_.listener.waiting(visit->call.id)) return Answer::dead();
  if (visit->gone || closed_ || !visit->file) {
    if (visit->gone) say_once(kGone);
    return refuse_unknown(*visit, task);
  }
  if (visit->by_peer) {
    Answer judged = judge_with_peer(*visit, task);
    if (judged.kind == Answer::Kind::error) return judged;
  }
  const auto connect = [visit, door = door_]() -> Answer {
    const auto error = door->connect(visit->socket.get(), visit->file.get());
    visit->gone = !error && error.error().code != EINTR;
    visit->socket.reset();  // a socket that the caller closes next is to be closed then
    if (visit->gone) return Answer::later();
    const int code = error ? *error : EINTR;
    return code == 0 ? Answer::returns(0) : Answer::error(code);
  };
  return start(visit, task, connect, [this, visit](const kernel::TaskDirectory& caller) {
    return after_connect(*visit, caller);
  });
}

Answer DoorDesk::after_connect(const Visit& visit, const kernel::TaskDirectory& task) {
  if (!office_.listener.waiting(visit.call.id)) return Answer::dead();
  say_once(kGone);
  return refuse_unknown(visit, task);
}

// The label counts that each has now. Of another type nobody connects to: that is for the kernel to
// say.
Answer DoorDesk::judge_with_peer(Visit& visit, const kernel::TaskDirectory& task) {
  const auto own = office_.reader.read(visit.socket.get(), visit.cookie);
  const auto type = kernel::socket_type(visit.socket.get());
  const auto file = kernel::bound_file(office_.proc, visit.file.get(), task);
  if (!own || !type || !file) return refuse_unknown(visit, task);
  const auto peer = office_.peers.bound_to(*file);
  if (!peer) return refuse_unknown(visit, task);
  if (peer->type != *type) return Answer::go_on();
  std::ranges::copy(*own, visit.request.own_labels);
  std::ranges::copy(peer->labels, visit.request.peer_labels);
  const int error = office_.judge(visit.call, task, visit.request, visit.cookie, 1);
  return error ? Answer::error(error) : Answer::go_on();
}

}  // namespace holdfast::backend::supervisor
