// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/label_mirror.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/sockets.h"
#include "kernel/system_error.h"
#include "label/stable_copy.h"
#include "label/survey.h"

namespace holdfast::backend::lsm {

InodeLabels::InodeLabels(int map_fd, const LabelNames& words)
    : map_fd_(map_fd), label_names_(words) {
  for (std::size_t id = 1; id < words.values.size(); id++)
    value_ids_[words.values[id]] = static_cast<__u32>(id);
}

Result<hf_socket_labels> InodeLabels::read(int socket_fd) const {
  hf_socket_labels labels = {};
  if (bpf_map_lookup_elem(map_fd_, &socket_fd, &labels) == 0) return labels;
  auto error = kernel::system_error("read BPF map", "socket_labels");
  if (error.code == ENOENT) return labels;
  return error;
}

Result<void> InodeLabels::put(int socket_fd, const hf_socket_labels& labels) const {
  if (bpf_map_update_elem(map_fd_, &socket_fd, &labels, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "socket_labels");
  return {};
}

Result<void> InodeLabels::write(int socket_fd, const Value& value) {
  hf_socket_labels labels = {};
  for (std::size_t i = 0; i < label_names_.names.size() && i < HF_MAX_LABEL_NAMES; i++) {
    const auto is = value(label_names_.names[i]);
    if (!is) continue;
    const auto known = value_ids_.find(*is);
    labels.ids[i] = known == value_ids_.end() ? HF_LABEL_ID_OTHER : known->second;
  }
  return put(socket_fd, labels);
}

label::Cookie InodeLabels::inherited_from(int socket_fd) const {
  const auto labels = read(socket_fd);
  return labels ? labels->inherited_from : 0;
}

Result<void> InodeLabels::take_over(int socket_fd) {
  HF_TRY_ASSIGN(auto labels, read(socket_fd));
  labels.inherited_from = 0;
  return put(socket_fd, labels);
}

// Somebody may change a label meanwhile. The kernel has changed it before a program hears of it, so
// what was written over in between is seen by the second look. The labels of a socket that does not
// keep still are not known: what would need them is refused.
Result<void> InodeLabels::copy_socket(int socket_fd) {
  using Found = std::unordered_map<std::string, std::string>;
  const auto look = [&] {
    Found found;
    for (const std::string& name : label_names_.names)
      if (auto value = kernel::get_attribute(socket_fd, name)) found[name] = std::move(*value);
    return found;
  };
  const auto write_found = [&](const Found& found) {
    return write(socket_fd, [&](const std::string& name) {
      const auto at = found.find(name);
      return at == found.end() ? std::nullopt : std::optional(at->second);
    });
  };
  HF_TRY_ASSIGN(const auto stability, label::copy_until_stable(look, write_found));
  if (stability == label::Stability::stable) return {};
  hf_socket_labels labels = {};
  labels.unknown = 1;
  return put(socket_fd, labels);
}

Result<void> InodeLabels::copy_machine() {
  if (label_names_.names.empty()) return {};
  Result<void> copied;
  const auto visit = [&](int socket_fd) {
    auto one = copy_socket(socket_fd);
    if (!one) copied = std::move(one);
  };
  HF_TRY_ASSIGN(std::ignore, label::visit_sockets(visit));
  return copied;
}

Result<void> InodeLabels::prove() const {
  if (label_names_.names.empty()) return {};
  HF_TRY_ASSIGN(auto socket, kernel::make_unix_datagram_socket());
  HF_TRY(kernel::set_attribute(socket.get(), label_names_.names[0], "holdfast", 0));
  HF_TRY_ASSIGN(const auto labels, read(socket.get()));
  if (labels.ids[0] == HF_LABEL_ID_ABSENT)
    return Error{EPERM, "prove enforcement", "labels", "a label that was set did not arrive"};
  return {};
}

}  // namespace holdfast::backend::lsm
