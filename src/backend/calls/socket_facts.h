// SPDX-License-Identifier: Apache-2.0
// Facts about sockets that decisions need.
#ifndef HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H
#define HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H

#include <linux/seccomp.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::calls {

// Indexed by the number of a label name: the id of the value, or HF_LABEL_ID_*.
using LabelIds = std::array<std::uint32_t, HF_MAX_LABEL_NAMES>;

// Translates the labels of a socket into the ids of the policy. Borrows both arguments.
class LabelReader {
 public:
  LabelReader(const LabelNames& label_names, SocketLabels& labels);
  // `cookie` is the socket's. Values that the policy does not name become HF_LABEL_ID_OTHER.
  // Errors: those of SocketLabels::get().
  [[nodiscard]] Result<LabelIds> read(int socket_fd, label::Cookie cookie) const;

 private:
  const LabelNames& label_names_;
  SocketLabels& labels_;
  std::unordered_map<std::string, std::uint32_t> value_ids_;
};

// The values that labels of this run's sockets may have: those that were ever set. One thread.
class PossibleLabels {
 public:
  // emulated: no label is set yet, and note() is called before each. native: a socket may have any
  // label, since tasks outside set them too.
  PossibleLabels(const LabelNames& label_names, SocketAttributes kernel);
  void note(std::string_view name, std::string_view value);
  // Can some socket's labels satisfy these conditions? Do those of every socket?
  [[nodiscard]] bool may_match(const hf_label_match* want, unsigned count) const;
  [[nodiscard]] bool must_match(const hf_label_match* want, unsigned count) const;

 private:
  bool all_;
  std::unordered_map<std::string, unsigned> names_;
  std::unordered_map<std::string, std::uint32_t> values_;
  std::vector<std::set<std::uint32_t>> seen_;  // by the number of the name: ids of values
};

// Could a rule refuse or limit one of these operations (HF_SOCK_*), on any socket of this run,
// of any family, with any peer?
[[nodiscard]] bool may_be_refused(const hf_tables& tables, const hf_profile& profile,
                                  std::uint32_t operations, const PossibleLabels& labels);

// The other end of a unix socket.
struct Peer {
  // none: the socket is not connected. without_file: the peer is closed or not accepted yet.
  // known: the peer has `labels`.
  enum class State { none, without_file, known } state = State::none;
  LabelIds labels = {};
};

// Finds the peer of a unix socket. One thread.
class Peers {
 public:
  virtual ~Peers() = default;
  // Errors: the peer cannot be determined. The caller then decides with HF_REQ_FACTS_MISSING.
  [[nodiscard]] virtual Result<Peer> of(int socket_fd) = 0;
};

// Does the first rule that can match this request depend on the peer's labels? The request's own
// labels have to be filled in.
[[nodiscard]] bool depends_on_peer(const hf_tables& tables, const hf_profile& profile,
                                   const hf_request& request);

// HF_SOCK_*: operations for which some rule depends on the labels of a unix socket's peer. Never
// bind or listen, which have no peer.
[[nodiscard]] std::uint32_t operations_by_peer(const hf_tables& tables, const hf_profile& profile);

// Decides, counts and reports a request about the socket with this cookie. A rate limit takes
// `tokens` tokens. Returns the errno of an enforced refusal, or 0. Called on the session's thread;
// `call` and `task` may be those of an earlier call whose job has just ended.
using JudgeSocket = std::function<int(const seccomp_notif& call, const kernel::TaskDirectory& task,
                                      hf_request request, std::uint64_t cookie, unsigned tokens)>;

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H
