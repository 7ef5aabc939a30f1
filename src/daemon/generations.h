// SPDX-License-Identifier: Apache-2.0
// Stores the texts of the policies that were live, to explain their events and to return to them,
// and a record of which one is live and which one is confirmed.
#ifndef HOLDFAST_DAEMON_GENERATIONS_H
#define HOLDFAST_DAEMON_GENERATIONS_H

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"

namespace holdfast::daemon {

struct Generation {
  std::uint64_t number = 0;
  std::vector<policy::Source> sources;
  std::map<std::string, std::uint8_t> modes;  // by profile: HF_MODE_* in place of its own mode
};

// A hash of the names and texts of the files.
[[nodiscard]] std::uint64_t digest(const std::vector<policy::Source>& sources);
[[nodiscard]] bool same_policy(const Generation& one, const Generation& other);

// A time within one boot. Setting the clock does not change it, and it is not valid in another
// boot.
struct Deadline {
  std::uint64_t at_ns = 0;  // CLOCK_BOOTTIME
  std::string boot;         // /proc/sys/kernel/random/boot_id
};

// Policies are named by their generation; 0: unknown.
struct LifeState {
  std::uint64_t live = 0;
  std::uint64_t confirmed = 0;  // the last confirmed one; equals `live` if there is no deadline
  std::uint64_t before = 0;     // the last confirmed one before that with another text
  std::optional<Deadline> deadline;  // at this time `confirmed` becomes live again
  std::uint64_t turned_away = 0;     // digest() of the files that a rollback replaced; 0: none
  bool staged = false;               // changed files wait for a reload
};

// The record on disk. It has `next` while another policy is being made live. A reader then takes
// `next` if the kernel has the generation of `next`, and `now` otherwise.
struct LifeRecord {
  LifeState now;
  std::optional<LifeState> next;
  std::string boot;  // the boot_id of the writer
};

// Stores texts by generation, and one record. One thread.
class Archive {
 public:
  virtual ~Archive() = default;
  // Errors of both: those of writing. The old content is then unchanged.
  virtual Result<void> save(const Generation& generation) = 0;
  virtual Result<void> write(const LifeRecord& record) = 0;
  virtual void remove(std::uint64_t number) = 0;
  // Removes old texts, but none whose generation is in `needed`.
  virtual void prune(const std::set<std::uint64_t>& needed) = 0;
  // Empty: it does not exist or cannot be read.
  [[nodiscard]] virtual std::optional<Generation> load(std::uint64_t number) const = 0;
  [[nodiscard]] virtual std::optional<LifeRecord> read() const = 0;
  // The highest generation that has a text; 0: none.
  [[nodiscard]] virtual std::uint64_t newest() const = 0;
};

// Stores files N.json and life.json in a directory, which the first write makes. After a crash each
// file has either its old or its new content.
class Generations final : public Archive {
 public:
  explicit Generations(std::string directory) : directory_(std::move(directory)) {}

  Result<void> save(const Generation& generation) override;
  Result<void> write(const LifeRecord& record) override;
  void remove(std::uint64_t number) override;
  void prune(const std::set<std::uint64_t>& needed) override;
  [[nodiscard]] std::optional<Generation> load(std::uint64_t number) const override;
  [[nodiscard]] std::optional<LifeRecord> read() const override;
  [[nodiscard]] std::uint64_t newest() const override;

 private:
  [[nodiscard]] std::string path_of(std::uint64_t number) const;
  [[nodiscard]] std::vector<std::uint64_t> numbers() const;
  std::string directory_;
};

// Stores in memory, for a daemon with --transient. prune() removes all texts that are not needed.
class MemoryArchive final : public Archive {
 public:
  Result<void> save(const Generation& generation) override;
  Result<void> write(const LifeRecord& record) override;
  void remove(std::uint64_t number) override { texts_.erase(number); }
  void prune(const std::set<std::uint64_t>& needed) override;
  [[nodiscard]] std::optional<Generation> load(std::uint64_t number) const override;
  [[nodiscard]] std::optional<LifeRecord> read() const override { return record_; }
  [[nodiscard]] std::uint64_t newest() const override;

 private:
  std::map<std::uint64_t, Generation> texts_;
  std::optional<LifeRecord> record_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_GENERATIONS_H
