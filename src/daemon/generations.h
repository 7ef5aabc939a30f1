// SPDX-License-Identifier: Apache-2.0
// The policies that were live, kept on disk: to explain the events of one after a restart, to tell
// whether the files have changed since, and to go back.
#ifndef HOLDFAST_DAEMON_GENERATIONS_H
#define HOLDFAST_DAEMON_GENERATIONS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"

namespace holdfast::daemon {

struct Generation {
  std::uint64_t number = 0;
  std::vector<policy::Source> sources;
  std::map<std::string, std::uint8_t> modes;  // by profile: HF_MODE_* instead of what it states
  std::uint64_t previous = 0;                 // the one that was live before; 0: none
  std::uint64_t confirm_by = 0;  // CLOCK_BOOTTIME ns at which it reverts unless confirmed; 0: never
  std::uint64_t instead_of = 0;  // digest() of the files that it was made live in place of; 0: none
};

// Tells texts apart.
[[nodiscard]] std::uint64_t digest(const std::vector<policy::Source>& sources);

class Generations {
 public:
  // Files N.json in this directory, which save() makes.
  explicit Generations(std::string directory) : directory_(std::move(directory)) {}

  // Keeps the last few. Errors: what writing gave.
  [[nodiscard]] Result<void> save(const Generation& generation) const;
  // Nothing when it is not there or cannot be read.
  [[nodiscard]] std::optional<Generation> load(std::uint64_t number) const;
  // The one with the highest number.
  [[nodiscard]] std::optional<Generation> newest() const;

 private:
  [[nodiscard]] std::string path_of(std::uint64_t number) const;
  [[nodiscard]] std::vector<std::uint64_t> numbers() const;
  std::string directory_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_GENERATIONS_H
