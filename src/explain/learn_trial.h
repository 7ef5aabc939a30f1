// SPDX-License-Identifier: Apache-2.0
// Finds, for one setting at a time, the strictest value that refuses no event.
//
// Each value is tried with hf_decide() on tables that allow everything but that setting. One
// setting at a time is enough: every check in decide.h depends on the settings of one profile only,
// and a check can only add a refusal. So values that refuse nothing one by one refuse nothing
// together.
#ifndef HOLDFAST_EXPLAIN_LEARN_TRIAL_H
#define HOLDFAST_EXPLAIN_LEARN_TRIAL_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/compiled.h"
#include "policy/enum_names.h"
#include "policy/model.h"

namespace holdfast::policy {

// Events with the same facts.
struct Seen {
  hf_request request;
  std::vector<std::uint64_t> ids;
};

// A value, with the events that need it. The next stricter value would refuse those.
struct Needed {
  std::string value;  // as TOML: an element of a list, or a whole value
  std::vector<std::uint64_t> ids;
};

// The learned value of a setting: a list, or one value.
struct LearnedSetting {
  bool stated = false;  // false: the policy does not need the setting
  bool is_list = false;
  std::vector<Needed> values;  // the elements of a list, otherwise exactly one value
};

class Trial {
 public:
  // Borrows both. `names` is the policy of names under which the events in `seen` were read.
  Trial(const std::vector<Seen>& seen, const Compiled& names);

  // Is this event refused by tables that allow everything?
  [[nodiscard]] bool refused_always(const Seen& seen);

  LearnedSetting create(std::uint16_t profile);
  LearnedSetting enter(std::uint16_t profile);
  LearnedSetting visitors(std::uint16_t profile);
  LearnedSetting leave(std::uint16_t profile);
  LearnedSetting join(std::uint16_t profile);
  LearnedSetting mark_by(std::uint16_t profile);
  LearnedSetting inside(std::uint16_t profile);

 private:
  using Ids = std::vector<std::uint64_t>;
  [[nodiscard]] Ids refused();
  LearnedSetting word(std::uint8_t hf_profile::*field, std::uint16_t profile, Names names,
                      const std::vector<std::uint32_t>& strict_to_loose);
  LearnedSetting movers(std::uint16_t profile, std::uint8_t hf_profile::*field);
  void set_movers(std::uint16_t without);
  void reset(std::uint16_t profile);

  const std::vector<Seen>& seen_;
  const Compiled& names_;
  std::unique_ptr<hf_tables> tables_;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_TRIAL_H
