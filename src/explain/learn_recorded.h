// SPDX-License-Identifier: Apache-2.0
// What a recording can hold. A policy reports only what its rules are about, and with log = "denials"
// only what it refused. What it did not report may have happened too, so learn() must not refuse it.
#ifndef HOLDFAST_EXPLAIN_LEARN_RECORDED_H
#define HOLDFAST_EXPLAIN_LEARN_RECORDED_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/learn_trial.h"
#include "policy/model.h"

namespace holdfast::policy {

class Recorded {
 public:
  // The policies that recorded the events. Empty: they are not known, and the events count as all
  // that happened. Borrowed.
  explicit Recorded(const std::vector<Model>& recorders) : recorders_(recorders) {}

  // The strictest value that refuses neither an event nor what a recorder allowed without an event.
  // Adds a note if the recording is not enough to propose anything, or to propose less.
  LearnedSetting widen(const Key& key, const std::string& profile, LearnedSetting learned,
                       std::vector<std::string>& notes) const;

  // Has a recorder a rule about it? Then it would have reported what happened.
  [[nodiscard]] bool rules_about(About about, const std::string& profile) const;

  // The operations on sockets (HF_SOCK_*) of which the recorders reported all; empty: they are not
  // known, and all were reported.
  [[nodiscard]] std::optional<std::uint32_t> socket_ops(const std::string& profile,
                                                        std::vector<std::string>& notes) const;
  // The recorder's own socket rules as TOML, where it did not report what they allowed; else "".
  [[nodiscard]] std::string socket_rules(const std::string& profile,
                                         std::vector<std::string>& notes) const;

 private:
  [[nodiscard]] std::vector<const Profile*> profiles(const std::string& name) const;

  const std::vector<Model>& recorders_;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_RECORDED_H
