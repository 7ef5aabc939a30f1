// SPDX-License-Identifier: Apache-2.0
// The labels of the machine's sockets, as its programs see them (core/machine_labels.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H

#include <string>
#include <string_view>

#include "backend/machine.h"
#include "base/result.h"
#include "core/machine_labels.h"

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

// One thread.
class MachineLabels {
 public:
  // Where the map has no key yet, with a new one.
  [[nodiscard]] static Result<MachineLabels> open(const LabelMaps& maps);

  [[nodiscard]] const hf_sip_key& key() const { return key_; }

  // Machine::labels_of(), Machine::set_labels().
  [[nodiscard]] Result<Labels> labels_of(int socket_fd) const;
  [[nodiscard]] Result<void> set_labels(int socket_fd, const Labels& labels) const;

  // Those that the machine's sockets have already, when the programs have just been attached. A
  // socket that is nowhere but in flight in a message is not seen. `store_before_fd`: the
  // label_store of programs that these replace; -1: there are none.
  [[nodiscard]] Result<void> learn(int store_before_fd) const;
  // That a label which the kernel takes arrives here. Errors: EPERM, it does not.
  [[nodiscard]] Result<void> prove() const;

 private:
  MachineLabels(const LabelMaps& maps, const hf_sip_key& key) : maps_(maps), key_(key) {}
  [[nodiscard]] Result<hf_machine_labels> hashed(const Labels& labels) const;
  [[nodiscard]] Result<void> learn_socket(int socket_fd) const;

  LabelMaps maps_;
  hf_sip_key key_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_LABELS_H
