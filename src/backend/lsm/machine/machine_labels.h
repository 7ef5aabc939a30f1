// SPDX-License-Identifier: Apache-2.0
// The labels of the machine's sockets, as its programs see them (core/machine_labels.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backend/machine.h"
#include "base/result.h"
#include "core/machine_labels.h"
#include "kernel/files/open_file_watch.h"

namespace holdfast::backend::lsm {

// Borrowed descriptors of the maps.
struct LabelMaps {
  bool kernel_labels = false;  // do sockets of this kernel have labels of their own?
  int hashed_fd = -1;          // machine_labels: where sockets have labels of their own
  int store_fd = -1;           // label_store: where not
  int key_fd = -1;             // label_key
};

// Of a text that a rule may name: below HF_SIP_BYTES; else HF_LABEL_HASH_LONG.
[[nodiscard]] std::uint64_t label_hash(const hf_sip_key& key, std::string_view text);

// The labels of sockets whose texts do not fit into label_store, by the sockets' cookies. One thread.
class LongLabels {
 public:
  // Errors: ENOSPC too many bytes of all sockets together; of epoll(7).
  [[nodiscard]] Result<void> put(int socket_fd, std::uint64_t cookie, const Labels& labels);
  // Null: none are kept.
  [[nodiscard]] const Labels* of(std::uint64_t cookie) const;
  void forget(std::uint64_t cookie);

 private:
  [[nodiscard]] Result<void> collect();
  [[nodiscard]] std::size_t bytes() const;

  std::optional<kernel::OpenFileWatch> watch_;
  std::map<std::uint64_t, Labels> labels_;
  std::size_t after_collecting_ = 0;  // sockets
};

// One thread.
class MachineLabels {
 public:
  // Where the map has no key yet, with a new one.
  [[nodiscard]] static Result<MachineLabels> open(const LabelMaps& maps);

  [[nodiscard]] const hf_sip_key& key() const { return key_; }

  // Machine::labels_of(), Machine::set_labels().
  [[nodiscard]] Result<Labels> labels_of(int socket_fd) const;
  [[nodiscard]] Result<void> set_labels(int socket_fd, const Labels& labels);

  // Those that the machine's sockets have already, when the programs have just been attached. A
  // socket that is nowhere but in flight in a message is not seen. `store_before_fd`: the
  // label_store of programs that these replace; -1: there are none.
  [[nodiscard]] Result<void> learn(int store_before_fd);
  // That a label which the kernel takes arrives here. Errors: EPERM, it does not.
  [[nodiscard]] Result<void> prove() const;

 private:
  MachineLabels(const LabelMaps& maps, const hf_sip_key& key) : maps_(maps), key_(key) {}
  [[nodiscard]] Result<hf_machine_labels> hashed(const Labels& labels) const;
  [[nodiscard]] Result<void> learn_socket(int socket_fd) const;

  LabelMaps maps_;
  hf_sip_key key_;
  LongLabels long_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H
