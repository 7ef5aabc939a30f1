// SPDX-License-Identifier: Apache-2.0
// Sessions: runs that the daemon holds (`holdfast run`), each by a policy of its own beside that of
// the machine. A session lasts until its last task has ended, whatever becomes of the client.
#ifndef HOLDFAST_DAEMON_SESSIONS_H
#define HOLDFAST_DAEMON_SESSIONS_H

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/abi.h"
#include "daemon/enforcement.h"
#include "daemon/move_path_cache.h"
#include "policy/compiled.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// Answers the methods about sessions of io.holdfast.Control, and sends each session's events to its
// client. Ordinary users have what session_rights.h says, and see their own sessions only. One thread.
class Sessions {
 public:
  // Sends a reply to a call that continues. False: the connection has ended.
  using Send = std::function<bool(rpc::ConnectionId, const rpc::Json&)>;
  // There are no more replies to that call.
  using Finish = std::function<void(rpc::ConnectionId)>;

  // Borrows `enforcement`. `report` passes refused attacks that were read to refused().
  Sessions(Enforcement& enforcement, Send send, Finish finish, std::function<void()> report);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Empty: the method is not about sessions.
  [[nodiscard]] std::optional<rpc::Answer> answer(std::string_view method, const rpc::Call& call);

  // Receives the events of sessions that were not opened by OpenSession of this process.
  void report_others(std::function<void(const hf_event&)> others) { others_ = std::move(others); }
  // A session was opened elsewhere. Its end is looked for.
  void opened() { look_again(); }

  // Sends a refused attack on the enforcement to the client whose task tried it.
  void refused(const hf_guard_event& refusal);

  // When tick() has to be called.
  [[nodiscard]] std::uint64_t due_ns() const { return due_ns_; }
  // Ends the sessions whose last task has ended.
  void tick();

 private:
  using Compiled = std::shared_ptr<const policy::Compiled>;
  struct Prepared {
    std::string key;   // the text, the profile and the rest of what it depends on
    std::string name;  // for OpenSession
    Compiled policy;
    std::shared_ptr<const hf_tables> tables;
    std::uint16_t profile = HF_NO_PROFILE;
    uid_t owner = 0;
  };
  using PreparedList = std::deque<std::shared_ptr<const Prepared>>;  // the newest first
  struct Ended {
    rpc::Json totals;
    uid_t owner = 0;
  };
  struct Session {
    std::shared_ptr<const Prepared> by;
    uid_t owner = 0;
    rpc::ConnectionId client = 0;  // 0: it has gone
    std::uint64_t sent = 0;        // replies about what was decided
    std::uint64_t events = 0;      // that came from the programs
    std::uint64_t since_ns = 0;    // when its last task was found to have ended
  };
  [[nodiscard]] rpc::Answer prepare(const rpc::Call& call);
  [[nodiscard]] rpc::Answer open(const rpc::Call& call);
  // nullopt: the caller is root.
  using Limits = std::optional<backend::UserLimits>;
  [[nodiscard]] Result<Limits> limits_of(const rpc::Call& call) const;
  [[nodiscard]] Result<std::uint64_t> begin(const Prepared& prepared, const rpc::Call& call,
                                            const Limits& limits, pid_t number,
                                            std::uint32_t types);
  [[nodiscard]] static backend::SessionOpening opening_of(const Prepared& prepared,
                                                          const backend::MachineSpec& spec,
                                                          const Limits& limits);
  [[nodiscard]] rpc::Answer totals(const rpc::Call& call);
  [[nodiscard]] rpc::Answer list(const rpc::Call& call) const;
  [[nodiscard]] std::shared_ptr<const Prepared> find_prepared(const std::string& key,
                                                              uid_t owner) const;
  void keep_prepared(std::shared_ptr<const Prepared> prepared);
  void keep_totals(std::uint64_t id, Ended ended);
  // Events that programs have begun to write and that have not come.
  [[nodiscard]] static std::uint64_t outstanding(const Session& session,
                                                 const backend::SessionCounts& counts);
  [[nodiscard]] static bool waits_for_events(Session& session,
                                             const backend::SessionCounts& counts);
  void deliver(const hf_event& event);
  void send(std::uint64_t id, const std::string& event);
  [[nodiscard]] Result<void> deliver_all();
  void look_again();

  Enforcement& enforcement_;
  std::optional<MovePathCache> paths_;  // empty: no event of a move was sent yet
  Send send_;
  Finish finish_;
  std::function<void()> report_;
  std::function<void(const hf_event&)> others_;
  PreparedList prepared_;                      // of root
  PreparedList prepared_of_users_;             // of all others
  std::map<std::uint64_t, Session> sessions_;  // of clients of this process, by id
  std::map<std::uint64_t, Ended> ended_;       // totals whose client has not asked yet; of root
  std::map<std::uint64_t, Ended> ended_of_users_;
  std::uint64_t named_ = 0;  // prepared policies
  std::uint64_t due_ns_ = kNever;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SESSIONS_H
