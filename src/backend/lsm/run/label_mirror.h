// SPDX-License-Identifier: Apache-2.0
// The labels of sockets as the programs read them where they cannot ask the socket: numbers in the
// storage of its inode (bpf/run/socket_labels.bpf.h).
#ifndef HOLDFAST_BACKEND_LSM_RUN_LABEL_MIRROR_H
#define HOLDFAST_BACKEND_LSM_RUN_LABEL_MIRROR_H

#include <string>
#include <unordered_map>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "bpf/run/session.h"

namespace holdfast::backend::lsm {

// Borrows the map and the words. One thread.
class InodeLabels final : public calls::LabelMirror {
 public:
  InodeLabels(int map_fd, const LabelNames& words);

  // ENOMEM; EBADF: no socket.
  Result<void> write(int socket_fd, const Value& value) override;
  [[nodiscard]] label::Cookie inherited_from(int socket_fd) const override;
  Result<void> take_over(int socket_fd) override;

  // Where the kernel keeps labels: those that sockets of this machine have already. The programs,
  // attached before, see to it that later changes are not lost. A socket that is nowhere but in
  // flight in a message is not seen.
  Result<void> copy_machine();
  // That a label which the kernel takes arrives here. Errors: EPERM, it does not.
  Result<void> prove() const;

 private:
  [[nodiscard]] Result<hf_socket_labels> read(int socket_fd) const;
  Result<void> put(int socket_fd, const hf_socket_labels& labels) const;
  Result<void> copy_socket(int socket_fd);

  int map_fd_;
  const LabelNames& label_names_;
  std::unordered_map<std::string, __u32> value_ids_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_LABEL_MIRROR_H
