// SPDX-License-Identifier: Apache-2.0
// What is remembered of the policies of a machine: the text of those that were live, to explain
// their events and to go back to them, and which of them is confirmed.
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
  std::map<std::string, std::uint8_t> modes;  // by profile: HF_MODE_* instead of what it states
};

// Tells the files of one policy from those of another, by name and text.
[[nodiscard]] std::uint64_t digest(const std::vector<policy::Source>& sources);
[[nodiscard]] bool same_policy(const Generation& one, const Generation& other);

// A time of one boot. Setting the machine's clock does not move it, and another boot does not take
// it for one of its own.
struct Deadline {
  std::uint64_t at_ns = 0;  // CLOCK_BOOTTIME
  std::string boot;         // /proc/sys/kernel/random/boot_id
};

// Policies are named by their generation; 0: none is known.
struct LifeState {
  std::uint64_t live = 0;
  std::uint64_t confirmed = 0;       // the last that was; `live` itself unless there is a deadline
  std::uint64_t before = 0;          // the last confirmed one that was another policy
  std::optional<Deadline> deadline;  // when `confirmed` comes back
  std::uint64_t turned_away = 0;     // digest() of the files that a going back replaced; 0: none
  bool staged = false;               // files wait for a reload
};

// What is on disk. While another policy is made live, `next` is what will be so once the kernel has
// it: whoever reads both asks the kernel which of the two is live, and believes `now` when it
// cannot tell.
struct LifeRecord {
  LifeState now;
  std::optional<LifeState> next;
  std::string boot;  // in which it was written
};

// Keeps texts by generation, and one record.
class Archive {
 public:
  virtual ~Archive() = default;
  // Errors: what writing gave; then what was there before is.
  virtual Result<void> save(const Generation& generation) = 0;
  virtual Result<void> write(const LifeRecord& record) = 0;
  virtual void remove(std::uint64_t number) = 0;
  // Removes old texts, but none of `needed`.
  virtual void prune(const std::set<std::uint64_t>& needed) = 0;
  // Nothing when it is not there or cannot be read.
  [[nodiscard]] virtual std::optional<Generation> load(std::uint64_t number) const = 0;
  [[nodiscard]] virtual std::optional<LifeRecord> read() const = 0;
  // The highest number that it has a text of; 0: none.
  [[nodiscard]] virtual std::uint64_t newest() const = 0;
};

// Files N.json and life.json in a directory, which the first write makes. A file is the old one or
// the new one after a crash.
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

// Of a daemon that leaves nothing behind. Keeps only what is needed.
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
