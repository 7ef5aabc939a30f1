// SPDX-License-Identifier: Apache-2.0
// What a decision about a socket needs to know.
#ifndef HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H
#define HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H

#include <linux/seccomp.h>

#include <array>
#include <functional>
#include <string>
#include <unordered_map>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::calls {

// By index of a label name: id of a value, HF_LABEL_ID_*.
using LabelIds = std::array<std::uint32_t, HF_MAX_LABEL_NAMES>;

// The labels of a socket in the terms of the policy. Borrows both.
class LabelReader {
 public:
  LabelReader(const LabelNames& label_names, SocketLabels& labels);
  // Errors: they cannot be read.
  [[nodiscard]] Result<LabelIds> read(int socket_fd, label::Cookie cookie) const;

 private:
  const LabelNames& label_names_;
  SocketLabels& labels_;
  std::unordered_map<std::string, std::uint32_t> value_ids_;
};

// The other end of a unix socket.
struct Peer {
  // none: it is not connected; without_file: closed, or nobody has accepted it yet; known: it
  // has `labels`.
  enum class State { none, without_file, known } state = State::none;
  LabelIds labels = {};
};

// Knows who is at the other end. One thread.
class Peers {
 public:
  virtual ~Peers() = default;
  // Errors: it cannot be told.
  [[nodiscard]] virtual Result<Peer> of(int socket_fd) = 0;
};

// Does the first rule that may match this request, whose own labels are known, ask for the peer's?
[[nodiscard]] bool depends_on_peer(const hf_tables& tables, const hf_profile& profile,
                                   const hf_request& request);

// HF_SOCK_* about which some rule asks for the label of a unix socket's peer. Who binds or listens
// has none.
[[nodiscard]] std::uint32_t operations_by_peer(const hf_tables& tables, const hf_profile& profile);

// Decides a request of this thread's call about the socket with this cookie, and reports it; a
// limit takes so many tokens. The errno of an enforced refusal, or 0.
using JudgeSocket = std::function<int(const seccomp_notif& call, const kernel::TaskDirectory& task,
                                      hf_request request, std::uint64_t cookie, unsigned tokens)>;

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_FACTS_H
