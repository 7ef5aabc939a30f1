// SPDX-License-Identifier: Apache-2.0
// What rules say of one operation, and which of them wins.
#ifndef HOLDFAST_TESTS_REFERENCE_OPINIONS_H
#define HOLDFAST_TESTS_REFERENCE_OPINIONS_H

#include <string>
#include <vector>

#include "reference/reference.h"

namespace holdfast::reference {

class Opinions {
 public:
  explicit Opinions(const policy::Model& model) : model_(model) {}

  // Null for "" and for a name that no profile has.
  [[nodiscard]] const policy::Profile* find(const std::string& name) const;
  [[nodiscard]] std::string mode_of(const std::string& profile) const;

  // `mode`: instead of the profile's.
  void deny(const std::string& profile, const std::string& key, const std::string& reason,
            const std::string& mode = "");
  void deny_without_rule(const std::string& reason, const std::string& mode);
  void lock(const std::string& profile, const std::string& key, std::uint64_t set);
  // Only if the profile states that key.
  void allow_by(const std::string& profile, const std::string& key);
  void impossible_too(const std::string& reason);

  [[nodiscard]] Outcome strongest(const std::string& subject) const;

  // Outcomes that leave no room for opinions.
  [[nodiscard]] Outcome impossible(const std::string& reason) const;
  [[nodiscard]] Outcome nothing(const std::string& reason, const std::string& subject) const;
  [[nodiscard]] Outcome by_socket_rule(const policy::Profile& profile, std::size_t index) const;
  [[nodiscard]] Outcome by_label_rule(const policy::Profile& profile, bool listed) const;

 private:
  void add(int rank, Outcome outcome);
  [[nodiscard]] Outcome by_rule(const std::string& profile, const std::string& key) const;
  [[nodiscard]] Outcome logged(Outcome outcome, const std::string& subject) const;

  const policy::Model& model_;
  std::vector<std::pair<int, Outcome>> opinions_;
};

}  // namespace holdfast::reference

#endif  // HOLDFAST_TESTS_REFERENCE_OPINIONS_H
