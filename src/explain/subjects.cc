// SPDX-License-Identifier: Apache-2.0
#include "explain/subjects.h"

namespace holdfast::policy {

std::vector<Subjects> subjects_of(const hf_request& r) {
  switch (r.op) {
    case HF_OP_NAMESPACE_ALLOC:
    case HF_OP_NAMESPACE_INSTALL:
    case HF_OP_TRACE:
      return {{About::members, {r.subject}}, {About::visitors, {r.held_owner, r.target_owner}}};
    case HF_OP_CGROUP_ATTACH: {
      std::set<std::uint16_t> profiles = {r.object};
      profiles.insert(std::begin(r.src_chain), std::end(r.src_chain));
      profiles.insert(std::begin(r.dst_chain), std::end(r.dst_chain));
      return {{About::moves, std::move(profiles)}};
    }
    case HF_OP_MARK:
      return {{About::marks, {r.object}}};
    case HF_OP_SOCKET:
      return {{About::sockets, {r.subject}}};
    case HF_OP_BPF:
      return {{About::bpf, {r.subject}}};
    default:
      return {};
  }
}

}  // namespace holdfast::policy
