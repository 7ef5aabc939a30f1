// SPDX-License-Identifier: Apache-2.0
// What a reader wants to know about a kernel before relying on it: one line for each thing, as
// `holdfast doctor` prints it. Read from the kernel itself; nothing is attached or changed.
#ifndef HOLDFAST_KERNEL_FEATURES_H
#define HOLDFAST_KERNEL_FEATURES_H

#include <string>
#include <vector>

namespace holdfast::kernel {

enum class Condition { good, limited, missing, unknown };

struct Feature {
  std::string name;  // "BPF LSM"
  Condition condition;
  std::string
      state;  // "active", "ABI 7", "bpf_lsm_capable is not in the kernel's type information"
};

// Any thread; takes some milliseconds, most of them to read the kernel's type information.
[[nodiscard]] std::vector<Feature> survey_features();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FEATURES_H
