// SPDX-License-Identifier: Apache-2.0
// The kernel features that holdfast uses, one line each, for `holdfast doctor`. Every fact is read
// from the running kernel. Nothing is attached or changed, except that has_socket_attributes() sets
// an attribute on a socket of its own.
#ifndef HOLDFAST_KERNEL_FEATURES_H
#define HOLDFAST_KERNEL_FEATURES_H

#include <string>
#include <vector>

namespace holdfast::kernel {

enum class Condition { good, limited, missing, unknown };

struct Feature {
  std::string name;  // "BPF LSM"
  Condition condition;
  std::string state;  // "active", "ABI 7", "decides setns, unshare: not in this kernel"
};

// Any thread. Takes some milliseconds, mostly to read the kernel's type information (BTF). Does not
// fail: a feature that cannot be read is Condition::unknown or missing.
[[nodiscard]] std::vector<Feature> survey_features();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FEATURES_H
